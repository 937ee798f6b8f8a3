# S5, Terraform that somebody else's automation applies: pull requests on a real
# Gitea (GITEA_URL, GITEA_TOKEN, REPOSITORY), opened, merged, reported, updated,
# closed, failed and removed, of an environment, an instance and a pipeline.
scripts=$(cd "$(dirname "$0")/../awscli" && pwd)
. "$scripts/git.bash"
. "$scripts/lib.bash"
$old && exit 0 # these clients lack operations
bucket=self-managed
aws s3 mb "s3://$bucket"
environment_schema environment
mkdir environment/infrastructure
printf 'infrastructure:\n  templates:\n    - file: "*"\n      rendering_engine: hcl\n      template_language: terraform\n' > environment/infrastructure/manifest.yaml
printf 'output "size" {\n  value = var.environment.inputs.size\n}\n' > environment/infrastructure/main.tf
version() {
  tar -zcf environment.tar.gz environment/
  aws s3 cp environment.tar.gz "s3://$bucket/"
  aws proton create-environment-template-version --template-name net --source s3="{bucket=$bucket,key=environment.tar.gz}" "${@:2}"
  aws proton wait environment-template-version-registered --template-name net --major-version 1 --minor-version "$1"
  aws proton update-environment-template-version --template-name net --major-version 1 --minor-version "$1" --status PUBLISHED
}
aws proton create-environment-template --name net
version 0
echo "$GITEA_TOKEN" > token
"$HADRON" connection create --name gitea --provider GITHUB --kind gitea --url "$GITEA_URL" --token-file token --output json > connection.json
aws proton create-repository --provider GITHUB --name "$REPOSITORY" --connection-arn "$(field connectionArn)"

# gitea METHOD PATH [BODY]: calls its API.
gitea() { curl --silent --fail --request "$1" --header "Authorization: token $GITEA_TOKEN" --header 'Content-Type: application/json' ${3:+--data "$3"} "$GITEA_URL/api/v1/repos/$REPOSITORY/$2"; }
number() { gitea GET 'pulls?state=open' | python3 -c 'import json, sys; print(*(p["number"] for p in json.load(sys.stdin)))'; }
# pull: waits for the one open pull request; sets pull and metadata, as the published automation reads it.
pull() {
  local n
  for n in $(seq 100); do pull=$(number) && [ -n "$pull" ] && break; sleep 0.2; done
  files=$(gitea GET "pulls/$pull/files" | python3 -c 'import json, sys; print(*(f["filename"] for f in json.load(sys.stdin) if f["filename"].endswith(".proton/deployment-metadata.json")))')
  head=$(gitea GET "pulls/$pull" | python3 -c 'import json, sys; print(json.load(sys.stdin)["head"]["sha"])')
  gitea GET "raw/$files?ref=$head" > metadata.json
}
meta() { python3 -c 'import json, sys; m = json.load(open("metadata.json")); print(str({**m, **m["resourceMetadata"]}[sys.argv[1]]))' "$1"; }
merge() {
  local n
  for n in $(seq 100); do gitea POST "pulls/$pull/merge" '{"Do": "merge"}' && return 0; sleep 0.2; done
  exit 1
}
status() { aws proton get-environment --name dev --query environment.deploymentStatus --output text; }

aws proton create-environment --name dev --template-name net --template-major-version 1 \
  --provisioning-repository "provider=GITHUB,name=$REPOSITORY,branch=main" --spec '{proton: EnvironmentSpec, spec: {size: large}}'
pull
equal dev/.proton/deployment-metadata.json "$files"
equal False "$(meta isResourceDeleted)"
merge
equal IN_PROGRESS "$(status)"
refused ConflictException aws proton notify-resource-deployment-status-change --resource-arn "$(meta arn)" --status SUCCEEDED \
  --deployment-id 00000000-0000-4000-8000-000000000000
aws proton notify-resource-deployment-status-change --resource-arn "$(meta arn)" --status SUCCEEDED --deployment-id "$(meta deploymentId)" \
  --outputs '[{"key": "size", "valueString": "large"}]'
aws proton wait environment-deployed --name dev
equal large "$(aws proton list-environment-outputs --environment-name dev --query 'outputs[0].valueString' --output text)"

echo '# changed' >> environment/infrastructure/main.tf
version 1 --major-version 1
aws proton update-environment --name dev --deployment-type MINOR_VERSION --template-major-version 1 --template-minor-version 1 \
  --provisioning-repository "provider=GITHUB,name=$REPOSITORY,branch=main" --spec '{proton: EnvironmentSpec, spec: {size: small}}'
pull
gitea PATCH "pulls/$pull" '{"state": "closed"}' > /dev/null
until_equal CANCELLED status
equal 0 "$(aws proton get-environment --name dev --query environment.templateMinorVersion --output text)"

# What fails is reported as failed, as the guide does it: without the deployment's id.
aws proton update-environment --name dev --deployment-type MINOR_VERSION --template-major-version 1 --template-minor-version 1 \
  --provisioning-repository "provider=GITHUB,name=$REPOSITORY,branch=main" --spec '{proton: EnvironmentSpec, spec: {size: small}}'
pull
merge
aws proton notify-resource-deployment-status-change --resource-arn "$(meta arn)" --status FAILED --status-message 'apply failed'
until_equal FAILED status
equal 'apply failed' "$(aws proton get-environment --name dev --query environment.deploymentStatusMessage --output text)"
equal 0 "$(aws proton get-environment --name dev --query environment.templateMinorVersion --output text)"

# A service: its instance, then its pipeline, each in its folder.
service_schema service
sed -i 's/^  types:/  pipeline_input_type: In\n  types:/' service/schema/schema.yaml
for kind in instance pipeline; do
  mkdir "service/${kind}_infrastructure"
  cp environment/infrastructure/manifest.yaml "service/${kind}_infrastructure/"
  echo "# $kind" > "service/${kind}_infrastructure/main.tf"
done
tar -zcf service.tar.gz service/
aws s3 cp service.tar.gz "s3://$bucket/"
aws proton create-service-template --name web
aws proton create-service-template-version --template-name web --source s3="{bucket=$bucket,key=service.tar.gz}" \
  --compatible-environment-templates templateName=net,majorVersion=1
aws proton wait service-template-version-registered --template-name web --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name web --major-version 1 --minor-version 0 --status PUBLISHED
aws proton update-account-settings --pipeline-provisioning-repository "provider=GITHUB,name=$REPOSITORY,branch=main"
printf 'proton: ServiceSpec\npipeline: {port: 1}\ninstances:\n- {name: one, environment: dev, spec: {port: 80}}\n' > spec.yaml
aws proton create-service --name shop --template-name web --template-major-version 1 --spec file://spec.yaml --branch-name main \
  --repository-id acme/shop --repository-connection-arn "$(field connectionArn)"
reported() { # FILE: merged and reported
  pull
  equal "$1" "$files"
  merge
  aws proton notify-resource-deployment-status-change --resource-arn "$(meta arn)" --status SUCCEEDED --deployment-id "$(meta deploymentId)"
}
reported dev/shop-one/.proton/deployment-metadata.json
reported shop/pipeline/.proton/deployment-metadata.json
aws proton wait service-created --name shop
aws proton delete-service --name shop
for n in 1 2; do
  pull
  equal True "$(meta isResourceDeleted)"
  merge
done
gone aws proton get-service --name shop

aws proton delete-environment --name dev
pull
equal True "$(meta isResourceDeleted)"
merge
gone aws proton get-environment --name dev
