# One such block for each namespace that the applications, or their namespace scopes, are in.
namespace "default" {
  capabilities = [
    "submit-job",      # plan, register, promote, stop and purge
    "read-job",        # what is live, and how a deployment goes on
    "list-jobs",       # what a schedule has started, when its job goes
    "read-logs",       # the last lines of a task that failed
    "alloc-lifecycle", # the action oam_restart
  ]
}

# One such line for each host volume that they mount; `read` where they only read it.
host_volume "data" { policy = "write" }
