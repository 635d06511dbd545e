#![allow(clippy::unwrap_used)]
use super::*;
use crate::oam::{self, Severity};

/// All that is wrong with a manifest, as `line:column place: summary. detail`: of its text and its shape
/// or, where those are right, of the application in it.
fn say(text: &str) -> Vec<String> {
    let faults = match read(text) {
        Err(faults) => faults,
        Ok(manifest) => {
            let problems = oam::validate(&manifest.node);
            let errors = problems.iter().filter(|it| it.severity == Severity::Error);
            errors.map(|problem| manifest.fault(problem)).collect()
        }
    };
    let one = |fault: Fault| {
        let Location { line, column } = fault.location;
        format!(
            "{line}:{column} {}: {}. {}",
            fault.place, fault.summary, fault.detail
        )
    };
    faults.into_iter().map(one).collect()
}

/// A document, whose `spec` begins on line 5, with two blanks before.
fn document(spec: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1alpha2\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  {}\n",
        spec.trim_start().replace('\n', "\n  ")
    )
}

/// A document with one component: its `type` is on line 7, and `rest` begins on line 8.
fn component(kind: &str, rest: &str) -> String {
    let rest = rest.replace('\n', "\n  ");
    document(&format!(
        "components:\n- name: web\n  type: {kind}\n  {rest}"
    ))
}

#[test]
fn a_manifest_is_an_application() {
    let text = "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
  tenant: acme
  labels: {team: shop}
spec:
  components:
  - name: web
    type: webservice
    targetClusters: [eu]
    properties:
      image: nginx:1.25
      ports:
      - {name: http, port: 80}
      env:
      - {name: A, value: '1'}
      - name: B
        valueFrom: {vaultSecret: {path: secret/data/db, field: password}}
      containers:
      - name: log
        image: log:1
        volumes: [{source: data, destination: /data}]
    traits:
    - type: scaler
      properties: {min: 2, max: 3}
    - type: volume
      properties: {name: data, source: data, mountPath: /data}
    - type: volume
      properties: {name: more, source: more, mountPath: /more}
    - type: migration.nomad.oam.dev
  scopes:
  - scopeRef: {kind: nodepool.nomad.oam.dev, name: gpu}
  - scopeRef: {apiVersion: core.oam.dev/v1alpha2, kind: networkscope.nomad.oam.dev, name: mesh}
    properties: {serviceMesh: true}
";
    assert_eq!(say(text), [""; 0]);
    let node = read(text).unwrap().node;
    assert_eq!(node.get("name").as_str(), Some("shop"));
    let web = node.get("component").get("web");
    assert_eq!(web.get("env").get("A").as_str(), Some("1"));
    assert_eq!(web.get("volume").as_map().unwrap().len(), 2);
    assert_eq!(web.get("migration"), &Node::Map(Default::default()));
    assert_eq!(oam::references(&node), ["node-pool/gpu"]);
    // JSON is YAML, too, and what is written is read.
    let json = oam::to_document(&node);
    for text in [json.to_string(), format!("{json:#}")] {
        assert_eq!(read(&text).unwrap().node, node);
    }
}

#[test]
fn what_is_not_of_the_schema_is_at_its_place() {
    for (text, want) in [
        (
            component("worker", "properties:\n  imge: a:1"),
            "9:7 spec.components[0].properties.imge: Unknown field \"imge\". `spec.components[0].properties` \
             has no such field. Did you mean `image`?",
        ),
        (
            component("worker", "properties: {image: a, schedule: '@daily'}"),
            "8:28 spec.components[0].properties.schedule: \"schedule\" is not for the type `worker`. Only \
             components of type `cron-task` have it. Remove it, or change the type.",
        ),
        (
            component(
                "vmworkload.nomad.oam.dev",
                "properties: {image: a, command: [a]}",
            ),
            "8:28 spec.components[0].properties.command: \"command\" is not for the type \
             `vmworkload.nomad.oam.dev`. All components but those of type `vmworkload.nomad.oam.dev` have \
             it. Remove it, or change the type.",
        ),
        (
            component("cron-task", "properties: {image: a}"),
            "8:17 spec.components[0].properties.schedule: Missing \"schedule\". \
             `spec.components[0].properties` needs it: When a `cron-task` runs: five cron fields, such as \
             `*/15 * * * *`, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Write five \
             fields (minute, hour, day of month, month, day of week), such as `*/15 * * * *`, or one of \
             `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        ),
        (
            component("worker", "properties:\n  image: [a]"),
            "9:14 spec.components[0].properties.image: Wrong kind of value. It must be text, and is a list. \
             Docker image to run; of a virtual machine, the path of its disk image on the nodes. Either \
             this, a `command` or `container` blocks are needed.",
        ),
        (
            component(
                "worker",
                "properties:\n  image: a\n  env: [{name: A, value: 80}]",
            ),
            "10:30 spec.components[0].properties.env[0].value: Wrong kind of value. It must be text, and is \
             a whole number. Write it in quotes. Its value.",
        ),
        (
            component(
                "worker",
                "properties: {image: a, env: [{name: A, value: a, valueFrom: {consulKey: {key: k}}}]}",
            ),
            "8:44 spec.components[0].properties.env[0].value: Not allowed here. A field of this name has no \
             place here. Remove it.",
        ),
        (
            component("worker", "properties: {image: a, env: [{name: A}]}"),
            "8:34 spec.components[0].properties.env[0].value: Missing \"value\". \
             `spec.components[0].properties.env[0]` needs it.",
        ),
        (
            component(
                "worker",
                "properties:\n  image: a\n  resources:\n    cpu: lots",
            ),
            "11:14 spec.components[0].properties.resources.cpu: \"lots\" is not written as it must be. CPU in \
             cores or thousandths of one, such as `1` or `500m`. A core counts as 1,000 MHz. `100m` \
             otherwise. Write thousandths of a core, such as `500m`, or cores, such as `1` or `0.5`.",
        ),
        (
            component("webservise", "properties: {image: a}"),
            "7:11 spec.components[0].type: Unknown value \"webservise\". It must be one of `webservice`, \
             `worker`, `task`, `cron-task`, `daemon`, `containerizedworkload.nomad.oam.dev`, \
             `executableworkload.nomad.oam.dev`, `vmworkload.nomad.oam.dev`, `batchworkload.nomad.oam.dev` \
             and `systemworkload.nomad.oam.dev`. Did you mean `webservice`? What kind of thing it is.",
        ),
        (
            component(
                "worker",
                "properties: {image: a}\ntraits: [{type: scaller}]",
            ),
            "9:21 spec.components[0].traits[0].type: Unknown value \"scaller\". It must be one of `sidecar`, \
             `scaler`, `ingress`, `volume`, `vault-secret`, `affinity`, `updatestrategy.nomad.oam.dev`, \
             `migration.nomad.oam.dev` and `servicediscovery.nomad.oam.dev`. Did you mean `scaler`? What is \
             added.",
        ),
        (
            component(
                "worker",
                "properties: {image: a}\ntraits: [{type: volume, properties: {source: a, mountPath: /a}}]",
            ),
            "9:41 spec.components[0].traits[0].properties.name: Missing \"name\". \
             `spec.components[0].traits[0].properties` needs it: A name here has at most 63 lower-case \
             letters, digits and hyphens, and begins and ends with a letter or a digit.",
        ),
        (
            document("components:\n- type: worker\n"),
            "6:5 spec.components[0].name: Missing \"name\". `spec.components[0]` needs it: Name of the \
             component. A name here has at most 63 lower-case letters, digits and hyphens, and begins and \
             ends with a letter or a digit.",
        ),
        (
            document(
                "components: [{name: a, type: worker}]\nscopes: [{scopeRef: {kind: scope, name: a}}]",
            ),
            "6:30 spec.scopes[0].scopeRef.kind: Unknown value \"scope\". It must be one of \
             `networkscope.nomad.oam.dev`, `nodepool.nomad.oam.dev` and `namespace.nomad.oam.dev`. The kind \
             of the scope.",
        ),
        (
            document(
                "components: [{name: a, type: worker}]\nscopes: [{scopeRef: {kind: networkscope.nomad.oam.dev, name: a}, properties: {mode: host}}]",
            ),
            "6:81 spec.scopes[0].properties.mode: Unknown field \"mode\". `spec.scopes[0].properties` has no \
             such field. It can have `connectSidecar`, `dnsServers`, `networkMode`, `serviceMesh` and \
             `subnet`.",
        ),
        (
            document("components: []"),
            "5:15 spec.components: Too few items. The list needs at least 1 item. The components. Their \
             names must differ.",
        ),
        (
            document("components: [{name: a, type: worker}]\npolicies: []"),
            "6:3 spec.policies: Policies are not supported. What a policy of OAM v1beta1 does is done by \
             traits, scopes and the components' `targetClusters` here. Remove `policies`.",
        ),
        (
            document("components: [{name: a, type: worker}]\nworkflow: {}"),
            "6:3 spec.workflow: Workflows are not supported. All components are deployed together, and \
             Terraform orders applications. Remove `workflow`.",
        ),
    ] {
        assert_eq!(say(&text), [want], "{text}");
    }
}

#[test]
fn the_whole_of_a_document_is_told_apart_from_other_documents() {
    let said = say(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\nspec: {type: NodePort}\n",
    );
    assert_eq!(
        said,
        [
            "1:13 apiVersion: Unknown value \"v1\". It must be one of `core.oam.dev/v1alpha2` and \
             `core.oam.dev/v1beta1`. The version of the document.",
            "2:7 kind: Unknown value \"Service\". It must be `Application`. The kind of the document.",
            "3:21 metadata.namespace: A namespace is set elsewhere. The Nomad namespace is that of the \
             `tenant`, of a scope of the kind `namespace.nomad.oam.dev`, or of the provider. Remove \
             `namespace`.",
            "4:7 spec.components: Missing \"components\". `spec` needs it: The components. Their names must \
             differ.",
            "4:8 spec.type: Unknown field \"type\". `spec` has no such field. It can have `components` and \
             `scopes`.",
        ]
    );
}

#[test]
fn what_is_there_twice_is_at_the_second() {
    for (text, want) in [
        (
            document("components:\n- {name: a, type: worker}\n- {name: a, type: worker}"),
            "7:5 spec.components[1]: Duplicate component. Names must differ.",
        ),
        (
            component(
                "worker",
                "properties: {image: a}\ntraits:\n- {type: scaler}\n- {type: scaler}",
            ),
            "11:7 spec.components[0].traits[1].properties: Duplicate trait. A component has it once.",
        ),
        (
            component(
                "worker",
                "properties: {image: a}\ntraits:\n- {type: volume, properties: {name: a, source: a, mountPath: /a}}\n\
                 - {type: volume, properties: {name: a, source: a, mountPath: /b}}",
            ),
            "11:34 spec.components[0].traits[1].properties: Duplicate trait. Names must differ.",
        ),
        (
            component(
                "worker",
                "properties:\n  image: a\n  ports:\n  - {name: a, port: 1}\n  - {name: a, port: 2}",
            ),
            "12:9 spec.components[0].properties.ports[1]: Duplicate name. Names must differ.",
        ),
        (
            component(
                "worker",
                "properties:\n  image: a\n  env: [{name: A, value: a}, {name: A, value: b}]",
            ),
            "10:34 spec.components[0].properties.env[1]: Duplicate variable. Names must differ.",
        ),
        (
            document(
                "components: [{name: a, type: worker}]\nscopes:\n- {scopeRef: {kind: namespace.nomad.oam.dev, name: a}, properties: {namespace: a}}\n\
                 - {scopeRef: {kind: namespace.nomad.oam.dev, name: a}, properties: {namespace: a}}",
            ),
            "8:70 spec.scopes[1].properties: Duplicate scope. Names must differ.",
        ),
    ] {
        assert_eq!(say(&text), [want], "{text}");
    }
}

#[test]
fn what_is_wrong_with_the_application_is_at_its_line() {
    for (text, place, words) in [
        (
            component(
                "webservice",
                "properties:\n  image: a\n  ports:\n  - {name: http, port: 80}\ntraits:\n- type: ingress\n  \
                 properties:\n    host: a.example.com\n    port: admin",
            ),
            "16:15 spec.components[0].traits[0].properties.port",
            "No port \"admin\"",
        ),
        (
            component("worker", "properties:\n  image: a\n  resources: {cpu: '0'}"),
            "10:24 spec.components[0].properties.resources.cpu",
            "is not an amount of CPU",
        ),
        (
            component(
                "task",
                "properties: {image: a}\ntraits:\n- {type: ingress, properties: {host: a.b}}",
            ),
            "10:35 spec.components[0].traits[0].properties",
            "does not apply here",
        ),
        (
            component("worker", "properties: {command: [a], driver: docker}"),
            "8:40 spec.components[0].properties.driver",
            "Docker without an image",
        ),
        (
            component("worker", "traits: []"),
            "6:5 spec.components[0].properties.image",
            "Nothing to run",
        ),
        (
            component(
                "worker",
                "properties:\n  image: a\n  env:\n  - {name: A, value: a}\n  - {name: A, valueFrom: {consulKey: {key: k}}}",
            ),
            "12:30 spec.components[0].properties.env[1].valueFrom",
            "is taken",
        ),
        (
            document(
                "components: [{name: a, type: worker, properties: {image: a}}]\nscopes:\n\
                 - {scopeRef: {kind: networkscope.nomad.oam.dev, name: m}, properties: {subnet: 10.0.0.0/8}}",
            ),
            "7:82 spec.scopes[0].properties.subnet",
            "Remove `subnet`, or set `networkMode` to",
        ),
    ] {
        let said = say(&text);
        assert_eq!(said.len(), 1, "{text}\n{said:#?}");
        assert!(
            said[0].starts_with(&format!("{place}: ")) && said[0].contains(words),
            "{text}\n{said:#?}"
        );
    }
}

#[test]
fn what_is_no_document_is_refused_at_once() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &('b'..='i')
            .map(|c| {
                let before = char::from(c as u8 - 1);
                format!("{c}: &{c} [{}]\n", vec![format!("*{before}"); 9].join(", "))
            })
            .collect::<String>();
    let huge = document("components: []") + &"# filling\n".repeat(40_000);
    for (text, words) in [
        ("", "1:1 : "),
        ("a: [", ": "),
        ("---\na: 1\n---\nb: 2\n", "document"),
        (bomb.as_str(), "alias"),
        (huge.as_str(), "too long"),
        ("a: 1\na: 2\n", "2:1"),
    ] {
        let started = std::time::Instant::now();
        let said = say(text);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains(words), "{said:#?}");
        assert!(started.elapsed() < std::time::Duration::from_secs(2));
    }
}

#[test]
fn a_document_with_thousands_of_faults_is_no_trouble() {
    let items = "  - {name: a, type: nothing, x: 1}\n".repeat(5000);
    let said = say(&document(&format!("components:\n{items}")));
    assert!((2..=100).contains(&said.len()), "{}", said.len());
}
