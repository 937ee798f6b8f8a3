# The getting started guide: templates that are synced from a repository, an
# environment, a service with a pipeline, its outputs, and all of it removed.
. "$(dirname "$0")/../awscli/git.bash"
. "$(dirname "$0")/lib.bash"
repository acme/start
"$HADRON" connection create --name start --provider GITHUB --kind git --url "file://$work/git" --output json > connection.json
linked=$(field connectionArn)
environment_schema start/environment-templates/start-env/v1
manifest start/environment-templates/start-env/v1/infrastructure/manifest.yaml 'true' 'true'
service_schema start/service-templates/start-svc/v1
sed -i 's/^  types:/  pipeline_input_type: In\n  types:/' start/service-templates/start-svc/v1/schema/schema.yaml
manifest start/service-templates/start-svc/v1/instance_infrastructure/manifest.yaml \
  'aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --outputs key=Url,valueString=https://one' 'true'
sed -i 's/^          variables:/          variables:\n            RESOURCE_ARN: "{{ service_instance.name and '"'$arn:service\/started\/service-instance\/one'"' }}"/' \
  start/service-templates/start-svc/v1/instance_infrastructure/manifest.yaml
manifest start/service-templates/start-svc/v1/pipeline_infrastructure/manifest.yaml 'true' 'true'
printf 'compatible_environments:\n  - start-env:1\n' > start/service-templates/start-svc/v1/.template-registration.yaml
push start

aws proton create-repository --provider GITHUB --name acme/start --connection-arn "$linked"
aws proton create-environment-template --name start-env --display-name "Start here" --description "An environment"
aws proton create-template-sync-config --template-name start-env --template-type ENVIRONMENT --repository-name acme/start \
  --repository-provider GITHUB --branch main --subdirectory environment-templates/start-env
aws proton wait environment-template-version-registered --template-name start-env --major-version 1 --minor-version 0
equal DRAFT "$(aws proton get-environment-template-version --template-name start-env --major-version 1 --minor-version 0 \
  --query environmentTemplateVersion.status --output text)"
aws proton update-environment-template-version --template-name start-env --major-version 1 --minor-version 0 --status PUBLISHED
equal 1.0 "$(aws proton get-environment-template --name start-env --query environmentTemplate.recommendedVersion --output text)"
aws proton create-service-template --name start-svc
aws proton create-template-sync-config --template-name start-svc --template-type SERVICE --repository-name acme/start \
  --repository-provider GITHUB --branch main --subdirectory service-templates/start-svc
aws proton wait service-template-version-registered --template-name start-svc --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name start-svc --major-version 1 --minor-version 0 --status PUBLISHED

role=arn:aws:iam::123456789012:role/build
aws proton create-environment --name started --template-name start-env --template-major-version 1 --codebuild-role-arn "$role" \
  --spec '{proton: EnvironmentSpec, spec: {size: large}}'
aws proton wait environment-deployed --name started
printf 'proton: ServiceSpec\npipeline: {port: 1}\ninstances:\n- {name: one, environment: started, spec: {port: 80}}\n' > spec.yaml
create_service() { # of a major version
  aws proton create-service --name started --template-name start-svc --template-major-version "$1" --repository-connection-arn "$linked" \
    --repository-id acme/app --branch-name main --spec file://spec.yaml
}
# An error that users know, of version 2, whose pipeline is a stack: nobody has
# said yet as whom pipelines are provisioned.
cp -r start/service-templates/start-svc/v1 start/service-templates/start-svc/v2
rm start/service-templates/start-svc/v2/pipeline_infrastructure/manifest.yaml
printf 'infrastructure:\n  templates:\n    - {file: pipeline.yaml, rendering_engine: jinja, template_language: cloudformation}\n' \
  > start/service-templates/start-svc/v2/pipeline_infrastructure/manifest.yaml
printf 'Resources: {Topic: {Type: AWS::SNS::Topic}}\n' > start/service-templates/start-svc/v2/pipeline_infrastructure/pipeline.yaml
push start
hook=$(field webhookUrl) secret=$(field webhookSecret)
pushed acme/start
registered() { aws proton get-service-template-version --template-name start-svc --major-version 2 --minor-version 0 --query serviceTemplateVersion.status --output text; }
until_equal DRAFT registered
aws proton update-service-template-version --template-name start-svc --major-version 2 --minor-version 0 --status PUBLISHED
refused ValidationException create_service 2
{ create_service 2 2>&1 || true; } | grep 'pipeline roles have been configured'
aws proton update-account-settings --pipeline-codebuild-role-arn "$role"
create_service 1
aws proton wait service-created --name started
equal ACTIVE "$(aws proton get-service --name started --query service.status --output text)"
equal SUCCEEDED "$(aws proton get-service --name started --query service.pipeline.deploymentStatus --output text)"
equal https://one "$(aws proton list-service-instance-outputs --service-name started --service-instance-name one \
  --query "outputs[?key=='Url'].valueString" --output text)"

refused ConflictException aws proton delete-environment --name started
refused ConflictException aws proton delete-service-template --name start-svc
aws proton delete-service --name started
aws proton wait service-deleted --name started
aws proton delete-environment --name started
gone aws proton get-environment --name started
# The guide removes templates at once; by the model their versions go first.
for template in "start-env ENVIRONMENT environment 1" "start-svc SERVICE service 1 2"; do
  set -- $template
  aws proton delete-template-sync-config --template-name "$1" --template-type "$2"
  refused ConflictException aws proton "delete-$3-template" --name "$1"
  for major in "${@:4}"; do
    aws proton "delete-$3-template-version" --template-name "$1" --major-version "$major" --minor-version 0
  done
  aws proton "delete-$3-template" --name "$1"
  gone aws proton "get-$3-template" --name "$1"
done
aws proton delete-repository --provider GITHUB --name acme/start
