# A service provisioned by commands that report with the AWS CLI, and its tags.
. "$(dirname "$0")/lib.bash"
bucket=cli-service
aws s3 mb "s3://$bucket"
environment_schema environment
manifest environment/infrastructure/manifest.yaml ./report.sh 'true'
cat > environment/infrastructure/report.sh <<'EOF'
#!/bin/sh -e
echo "[{\"key\": \"VpcId\", \"valueString\": \"vpc-$GREETING\"}]" > outputs.json
aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --status IN_PROGRESS --outputs file://outputs.json
EOF
chmod +x environment/infrastructure/report.sh
service_schema service
sed -i 's/^  types:/  pipeline_input_type: In\n  types:/' service/schema/schema.yaml
manifest service/instance_infrastructure/manifest.yaml 'sh report.sh' 'true'
cat > service/instance_infrastructure/report.sh <<'EOF'
port=$(python3 -c 'import json; print(json.load(open("proton-inputs.json"))["service_instance"]["inputs"]["port"])')
aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --status SUCCEEDED --outputs key=Port,valueString=$port
EOF
manifest service/pipeline_infrastructure/manifest.yaml \
  'aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --outputs key=Ci,valueString=yes' 'true'
for kind in environment service; do
  tar -zcf $kind.tar.gz $kind/
  aws s3 cp $kind.tar.gz "s3://$bucket/"
done
aws proton create-environment-template --name vpc --display-name "Network" --tags key=owner,value=platform
aws proton create-environment-template-version --template-name vpc --source s3="{bucket=$bucket,key=environment.tar.gz}"
aws proton wait environment-template-version-registered --template-name vpc --major-version 1 --minor-version 0
aws proton update-environment-template-version --template-name vpc --major-version 1 --minor-version 0 --status PUBLISHED
aws proton create-service-template --name web
aws proton create-service-template-version --template-name web --source s3="{bucket=$bucket,key=service.tar.gz}" \
  --compatible-environment-templates templateName=vpc,majorVersion=1
aws proton wait service-template-version-registered --template-name web --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name web --major-version 1 --minor-version 0 --status PUBLISHED

role=arn:aws:iam::111122223333:role/build
aws proton update-account-settings --pipeline-codebuild-role-arn $role --pipeline-service-role-arn $role
equal $role "$(aws proton get-account-settings --query accountSettings.pipelineCodebuildRoleArn --output text)"
aws proton create-environment --name dev --codebuild-role-arn $role --template-name vpc --template-major-version 1 --template-minor-version 0 \
  --spec '{proton: EnvironmentSpec, spec: {size: large}}'
aws proton wait environment-deployed --name dev
equal "VpcId vpc-hello" "$(aws proton list-environment-outputs --environment-name dev --query "join(' ', outputs[0].[key, valueString])" --output text)"

cat > spec.yaml <<'EOF'
proton: ServiceSpec
pipeline:
  port: 1
instances:
  - name: one
    environment: dev
    spec:
      port: 8080
  - name: two
    environment: dev
    spec:
      port: 9090
EOF
connection=arn:aws:codestar-connections:eu-west-1:111122223333:connection/0f0e0d0c-1111-2222-3333-444455556666
create() {
  aws proton create-service --name orders --template-name web --template-major-version 1 --spec file://spec.yaml \
    --repository-connection-arn $connection --repository-id acme/orders --branch-name main --tags key=team,value=shop "$@"
}
equal CREATE_IN_PROGRESS "$(create --query service.status --output text)"
aws proton wait service-instance-deployed --service-name orders --name one
aws proton wait service-pipeline-deployed --name orders
aws proton wait service-created --name orders
equal "$(cat spec.yaml; echo .)" "$(aws proton get-service --name orders --query service.spec --output json | python3 -c 'import json, sys; print(json.load(sys.stdin) + ".")')"
equal 9090 "$(aws proton list-service-instance-outputs --service-name orders --service-instance-name two --query 'outputs[0].valueString' --output text)"
equal yes "$(aws proton list-service-pipeline-outputs --service-name orders --query 'outputs[0].valueString' --output text)"
equal ACTIVE "$(create --query service.status --output text)"
refused ValidationException create --description other
refused ResourceNotFoundException aws proton get-service --name nope
$old || equal "2 2 0" "$(aws proton get-resources-summary --query "counts.serviceInstances.[total, upToDate, failed]" --output text | tr '\t' ' ')"
# --max-items makes the client page by itself.
equal one "$(aws proton list-service-instances --max-items 1 --page-size 1 --query 'serviceInstances[].name' --output text | head -1)"
$old || equal 3 "$(aws proton list-deployments --service-name orders --page-size 1 --query 'length(deployments[])' --output json)"

arn=$(aws proton get-service-instance --service-name orders --name two --query serviceInstance.arn --output text)
aws proton tag-resource --resource-arn "$arn" --tags '[{"key":"k","value":"v"}]'
equal "k=v team=shop" "$(aws proton list-tags-for-resource --resource-arn "$arn" \
  --query "join(' ', tags[?!starts_with(key, 'aws:')].join('=', [key, value]))" --output text)"
aws proton untag-resource --resource-arn "$arn" --tag-keys '["k"]'
equal 6 "$(aws proton list-tags-for-resource --resource-arn "$arn" --max-items 10 --query 'length(tags)' --output json)"
refused ValidationException aws proton untag-resource --resource-arn "$arn" --tag-keys aws:proton:account

refused ConflictException aws proton delete-environment --name dev
aws proton delete-service --name orders
aws proton wait service-deleted --name orders
aws proton delete-environment --name dev
gone aws proton get-environment --name dev
