# S3, templates that come from a git repository: what a push and later ones
# do (scenarios/s01 goes on to a running service), what is wrong with some, and another branch.
. "$(dirname "$0")/git.bash"
. "$(dirname "$0")/lib.bash"
repository acme/templates
connect
aws proton create-repository --provider GITHUB --name acme/templates --connection-arn "$connection"

environment_schema templates/environment-templates/net/v1
manifest templates/environment-templates/net/v1/infrastructure/manifest.yaml 'true' 'true'
service_schema templates/service-templates/web/v1
sed -i 's/^  types:/  pipeline_input_type: In\n  types:/' templates/service-templates/web/v1/schema/schema.yaml
manifest templates/service-templates/web/v1/instance_infrastructure/manifest.yaml 'true' 'true'
manifest templates/service-templates/web/v1/pipeline_infrastructure/manifest.yaml 'true' 'true'
echo 'compatible_environments: ["net:1"]' > templates/service-templates/web/v1/.template-registration.yaml
push templates
aws proton create-environment-template --name net --display-name Network
aws proton create-template-sync-config --template-name net --template-type ENVIRONMENT --repository-name acme/templates \
  --repository-provider GITHUB --branch main --subdirectory environment-templates/net
# The stock waiter gives up on a version that is not there.
aws proton wait environment-template-version-registered --template-name net --major-version 1 --minor-version 0
aws proton update-environment-template-version --template-name net --major-version 1 --minor-version 0 --status PUBLISHED
aws proton create-service-template --name web
aws proton create-template-sync-config --template-name web --template-type SERVICE --repository-name acme/templates --repository-provider GITHUB --branch main
aws proton wait service-template-version-registered --template-name web --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name web --major-version 1 --minor-version 0 --status PUBLISHED

# Later pushes: changed, unchanged, a new major, a mistake.
sync_status() {
  aws proton get-template-sync-status --template-name net --template-type ENVIRONMENT --template-version "$1" \
    --query "join(' ', [latestSync.targetRevision.sha, latestSync.status, latestSync.events[-1].type])" --output text
}
echo changed > templates/environment-templates/net/v1/infrastructure/note
sha=$(push templates)
seconds=$SECONDS
pushed acme/templates
until_equal "$sha SUCCEEDED REGISTRATION_SUCCEEDED" sync_status 1
[ $((SECONDS - seconds)) -le 5 ]
cp -r templates/environment-templates/net/v1 templates/environment-templates/net/v2
echo unrelated > templates/README.md
sha=$(push templates)
pushed acme/templates
until_equal "$sha SUCCEEDED REGISTRATION_SUCCEEDED" sync_status 2
until_equal "$sha SUCCEEDED BUNDLE_UNCHANGED" sync_status 1
equal "1 0" "$(aws proton list-environment-template-versions --template-name net --major-version 1 --query "join(' ', templateVersions[].minorVersion)" --output text)"
echo 'schema: [' > templates/environment-templates/net/v1/schema/schema.yaml
sha=$(push templates)
pushed acme/templates
until_equal "$sha FAILED REGISTRATION_FAILED" sync_status 1
equal SUCCEEDED "$(aws proton get-repository-sync-status --repository-name acme/templates --repository-provider GITHUB --branch main \
  --sync-type TEMPLATE_SYNC --query latestSync.status --output text)"
equal 2 "$(aws proton list-repository-sync-definitions --repository-name acme/templates --repository-provider GITHUB \
  --sync-type TEMPLATE_SYNC --query 'length(syncDefinitions)')"
refused ConflictException aws proton delete-repository --provider GITHUB --name acme/templates

# A registration file that can't be read says where; without one there is nothing to register.
service_status() {
  aws proton get-template-sync-status --template-name web --template-type SERVICE --template-version 1 \
    --query "join(' ', [latestSync.status, latestSync.events[-1].event])" --output text
}
service_files=templates/service-templates/web/v1
git -C templates checkout --quiet HEAD~1 -- environment-templates/net/v1/schema/schema.yaml
printf 'compatible_environments:\n- net\n' > $service_files/.template-registration.yaml
sha=$(push templates)
pushed acme/templates
until_equal "FAILED Commit $sha: service-templates/web/v1/.template-registration.yaml: line 2: \"net\" is not an environment template and its major version, as in network:1" service_status
git -C templates rm --quiet service-templates/web/v1/.template-registration.yaml
sha=$(push templates)
pushed acme/templates
until_equal "FAILED Commit $sha: service-templates/web/v1/.template-registration.yaml is missing: a service template needs it, with compatible_environments" service_status

# Another branch, where several templates change in one commit.
git -C templates checkout --quiet -b next HEAD~2
git -C templates checkout --quiet HEAD~1 -- environment-templates/net/v1/schema/schema.yaml
echo next | tee templates/environment-templates/net/v1/infrastructure/note > $service_files/note
push templates next
aws proton update-template-sync-config --template-name net --template-type ENVIRONMENT --repository-name acme/templates --repository-provider GITHUB --branch next
aws proton update-template-sync-config --template-name web --template-type SERVICE --repository-name acme/templates --repository-provider GITHUB --branch next
newest() { aws proton "list-$1-template-versions" --template-name "$2" --major-version 1 --query "join(' ', [templateVersions[0].minorVersion, templateVersions[0].status])" --output text; }
until_equal "3 DRAFT" newest environment net # 1.2 was the one with the bad schema
until_equal "1 DRAFT" newest service web

aws proton update-template-sync-config --template-name net --template-type ENVIRONMENT --repository-name acme/templates --repository-provider GITHUB --branch main
equal main "$(aws proton get-template-sync-config --template-name net --template-type ENVIRONMENT --query templateSyncConfig.branch --output text)"
aws proton delete-template-sync-config --template-name net --template-type ENVIRONMENT
aws proton delete-template-sync-config --template-name web --template-type SERVICE
equal GITHUB "$(aws proton get-repository --provider GITHUB --name acme/templates --query repository.provider --output text)"
equal 1 "$(aws proton list-repositories --query 'length(repositories)')"
aws proton delete-repository --provider GITHUB --name acme/templates
