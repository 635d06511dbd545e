//! Dynamic host volumes, which Nomad makes.

use super::support::{Workspace, docker, eventually};
use super::{application, at, destroy, platform};
use serde_json::json;

#[test]
fn a_dynamic_host_volume_outlives_the_component() {
    let Some(servers) = platform() else { return };
    let nomad = &servers.nomad;
    let created = nomad.put(
        "/v1/volume/host/create",
        &json!({ "Volume": {
            "Name": "kept", "Namespace": "default", "PluginID": "mkdir", "NodePool": "default",
            "RequestedCapabilities": [
                { "AttachmentMode": "file-system", "AccessMode": "single-node-writer" },
            ],
        }}),
    );
    let id = at(&created.json(), "/Volume/ID")
        .as_str()
        .unwrap()
        .to_owned();
    let volume = eventually("the volume is ready", || {
        let volume = nomad.get(&format!("/v1/volume/host/{id}"));
        (volume["State"] == "ready").then_some(volume)
    });
    let folder = std::path::PathBuf::from(volume["HostPath"].as_str().unwrap());
    let configuration = |text: &str| {
        application(
            "stored",
            &format!(
                r#"
  component "writer" {{
    type    = "batchworkload.nomad.oam.dev"
    image   = "{}"
    command = ["/bin/sh", "-c"]
    args    = ["echo {text} >> /kept/book"]
    volume "book" {{
      type            = "host"
      source          = "kept"
      mount_path      = "/kept"
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
    }}
  }}"#,
                docker::WEB
            ),
        )
    };
    let book = |what: &str, text: &str| {
        eventually(what, || {
            let book = std::fs::read_to_string(folder.join("book")).ok()?;
            (book == text).then_some(())
        });
    };
    let work = Workspace::new(servers, &configuration("one"));
    work.apply();
    book("the task wrote to the volume", "one\n");
    work.plan().assert_empty();
    destroy(servers, &work, "stored");

    // Another application finds what the first has left.
    let work = Workspace::new(servers, &configuration("two"));
    work.apply();
    book("the next task wrote to the volume, too", "one\ntwo\n");
    destroy(servers, &work, "stored");
    nomad.delete(&format!("/v1/volume/host/{id}/delete"));
}
