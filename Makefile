# What one does with this repository; `make` alone lists it.
# Where no Nomad, Consul, Terraform or OpenTofu is on PATH, tools/servers builds them, once; the tests
# with containers ask it for Vault, Traefik and Envoy as well.
CARGO ?= cargo

.PHONY: help demo build docs release reproduce deny advisories test test-opentofu test-terraform-next fuzz fmt lint servers bench bench-scale
help:
	@echo 'make demo           build the provider, run an application with it on real servers, take all away again'
	@echo 'make test           all tests, the ones against the real servers included'
	@echo 'make test-opentofu  the tests that run Terraform again, with OpenTofu'
	@echo 'make test-terraform-next  the tests of imports, moves and guarantees, with a newer Terraform'
	@echo 'make fuzz           a million broken inputs (OAM_FUZZ_CASES) for each reader of any'
	@echo 'make build          the provider for debugging'
	@echo 'make release        what a registry serves: archives for each platform, checksums, a list of contents'
	@echo 'make reproduce      the same twice, from two folders, must be the same'
	@echo 'make deny           licences and sources of all dependencies; make advisories for known faults'
	@echo 'make docs           write the pages and the golden jobs anew'
	@echo 'make fmt lint       format; check the format and every lint'
	@echo 'make bench          the figures: start, memory, translation, requests'
	@echo 'make bench-scale    what 10, 100, 1,000 and 5,000 applications cost'

demo:
	@examples/demo/run

build:
	$(CARGO) build

# What a registry serves, in dist/, the same for the same commit (OAM_PLATFORMS, GPG_FINGERPRINT: see
# docs/contributing/releasing.md).
release:
	@tools/dist

# Two builds of the last commit from two folders.
reproduce:
	@tools/reproduce

# Licences, sources and what must not come along; and, where the database can be fetched, known advisories.
deny:
	@deny=$$(tools/servers cargo-deny) && "$${deny#*=}" check bans licenses sources
advisories:
	@deny=$$(tools/servers cargo-deny) && "$${deny#*=}" check advisories

servers:
	@tools/servers nomad consul cli

# The acceptance tests wait for deployments most of the time, so more of them run at once than there
# are cores. Those with containers are run where tools/engine finds or starts a Docker engine.
test: servers
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} tools/engine $(CARGO) test --no-fail-fast

test-opentofu: servers
	@tools/servers opentofu
	OAM_TEST_CLI=opentofu RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} tools/engine $(CARGO) test --no-fail-fast --test acceptance --test examples --test host --test containers

# What Terraform on PATH may not know yet: queries, actions, deferral, imports by identity; and what it promises.
test-terraform-next: servers
	@tools/servers terraform-next
	OAM_TEST_CLI=terraform-next RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} $(CARGO) test --no-fail-fast --test acceptance -- newer:: imports:: moves:: adoption:: guarantees::

# `make test` does the same with few of them. Optimised, since a case takes six times as long otherwise.
fuzz:
	OAM_FUZZ_CASES=$${OAM_FUZZ_CASES:-1000000} $(CARGO) test --profile fuzz --test fuzz -- --nocapture

docs:
	UPDATE_DOCS=1 UPDATE_GOLDEN=1 $(CARGO) test --test docs --test golden

fmt:
	$(CARGO) fmt

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

bench: servers
	$(CARGO) bench --bench figures

bench-scale: servers
	$(CARGO) bench --bench scale
