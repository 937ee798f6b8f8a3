"""What a helper for template authors asks for: the names of what is there, its
specs, and the outputs of environments by key."""

import boto3

proton = boto3.client("proton")
assert [e["name"] for e in proton.list_environments()["environments"]] == ["dev"]
assert proton.get_environment(name="dev")["environment"]["spec"] == "{proton: EnvironmentSpec, spec: {mode: ok}}"
spec = "{proton: ServiceSpec, instances: [{name: one, environment: dev}]}"
proton.create_service(name="s", templateName="plain", templateMajorVersion="1", spec=spec)
assert [s["name"] for s in proton.list_services()["services"]] == ["s"]
assert proton.get_service(name="s")["service"]["spec"] == spec
outputs = {o["key"]: o["valueString"] for o in proton.list_environment_outputs(environmentName="dev")["outputs"]}
assert outputs == {"Mode": "ok"}, outputs
