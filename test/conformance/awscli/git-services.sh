# A service whose instances come from specs in a git repository, and what
# changes by hand do.
. "$(dirname "$0")/git.bash"
. "$(dirname "$0")/lib.bash"
$old && exit 0 # these clients lack the operations
bucket=git-services
aws s3 mb "s3://$bucket"
environment_schema environment
manifest environment/infrastructure/manifest.yaml 'true' 'true'
service_schema service
manifest service/instance_infrastructure/manifest.yaml 'true' 'true'
for kind in environment service; do
  tar -zcf $kind.tar.gz $kind/
  aws s3 cp $kind.tar.gz "s3://$bucket/"
done
aws proton create-environment-template --name net
aws proton create-environment-template-version --template-name net --source s3="{bucket=$bucket,key=environment.tar.gz}"
aws proton wait environment-template-version-registered --template-name net --major-version 1 --minor-version 0
aws proton update-environment-template-version --template-name net --major-version 1 --minor-version 0 --status PUBLISHED
aws proton create-service-template --name web --pipeline-provisioning CUSTOMER_MANAGED
aws proton create-service-template-version --template-name web --source s3="{bucket=$bucket,key=service.tar.gz}" \
  --compatible-environment-templates templateName=net,majorVersion=1
aws proton wait service-template-version-registered --template-name web --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name web --major-version 1 --minor-version 0 --status PUBLISHED
aws proton create-environment --name dev --template-name net --template-major-version 1 --spec '{proton: EnvironmentSpec, spec: {}}'
aws proton wait environment-deployed --name dev
aws proton create-service --name shop --template-name web --template-major-version 1 --spec '{proton: ServiceSpec, instances: []}'
aws proton wait service-created --name shop

repository acme/ops
connect
aws proton create-repository --provider GITHUB --name acme/ops --connection-arn "$connection"
mkdir -p ops/configuration ops/shop
cat > ops/configuration/proton-ops.yaml <<'END'
sync:
  services:
    shop:
      one:
        branch: main
        spec: ./shop/dev.yaml
      two: {branch: main, spec: ./shop/dev.yaml}
END
spec() {
  printf 'proton: ServiceSpec\ninstances:\n- {name: one, environment: dev, spec: {port: %s}}\n- {name: two, environment: dev, spec: {port: %s}}\n' "$@"
}
status() {
  aws proton get-service-instance-sync-status --service-name shop --service-instance-name "$1" \
    --query "join(' ', [latestSync.targetRevision.sha, latestSync.status])" --output text
}
spec 80 80 > ops/shop/dev.yaml
sha=$(push ops)
aws proton create-service-sync-config --service-name shop --repository-provider GITHUB --repository-name acme/ops --branch main \
  --file-path ./configuration/proton-ops.yaml
until_equal "$sha SUCCEEDED" status one
until_equal "$sha SUCCEEDED" status two

# By hand: that instance is blocked, the other goes on.
spec 99 80 > by-hand.yaml
aws proton update-service-instance --name one --service-name shop --deployment-type CURRENT_VERSION --spec file://by-hand.yaml
aws proton wait service-instance-deployed --name one --service-name shop
spec 81 81 > ops/shop/dev.yaml
sha=$(push ops)
pushed acme/ops
until_equal "$sha SUCCEEDED" status two
until_equal "$sha FAILED" status one
blocker=$(aws proton get-service-sync-blocker-summary --service-name shop --service-instance-name one \
  --query "serviceSyncBlockerSummary.latestBlockers[?status=='ACTIVE'].id" --output text)
aws proton update-service-sync-blocker --id "$blocker" --resolved-reason intended
until_equal "$sha SUCCEEDED" status one
aws proton get-service-instance --name one --service-name shop --query serviceInstance.spec --output text | grep -q 'port: 81'

# An instance is removed by hand: nothing is synced any more.
printf 'proton: ServiceSpec\ninstances:\n- {name: one, environment: dev, spec: {port: 81}}\n' > less.yaml
aws proton update-service --name shop --spec file://less.yaml
aws proton wait service-updated --name shop
spec 82 82 > ops/shop/dev.yaml
sha=$(push ops)
pushed acme/ops
until_equal "$sha FAILED" status one
equal ACTIVE "$(aws proton get-service-sync-blocker-summary --service-name shop --query 'serviceSyncBlockerSummary.latestBlockers[0].status' --output text)"
aws proton update-service-sync-config --service-name shop --repository-provider GITHUB --repository-name acme/ops --branch main --file-path configuration/proton-ops.yaml
equal configuration/proton-ops.yaml "$(aws proton get-service-sync-config --service-name shop --query serviceSyncConfig.filePath --output text)"
aws proton delete-service-sync-config --service-name shop
equal SUCCEEDED "$(aws proton get-service-instance --name one --service-name shop --query serviceInstance.deploymentStatus --output text)"
