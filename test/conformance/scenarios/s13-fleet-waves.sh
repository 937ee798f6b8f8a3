# A service that is all pipeline at first; tenants come one by one, carry the
# number of their wave as a tag, and are updated wave by wave.
. "$(dirname "$0")/lib.bash"
service saas '{proton: ServiceSpec, pipeline: {pipe: ok}, instances: []}'
for tenant in red blue; do
  aws proton create-environment --name $tenant --template-name net --template-major-version 1 --spec '{proton: EnvironmentSpec, spec: {}}' > /dev/null &
done
wait
wave=1
for tenant in red blue; do
  until_is SUCCEEDED environment.deploymentStatus get-environment --name $tenant
  aws proton create-service-instance --service-name saas --name $tenant --spec "{proton: ServiceSpec, instances: [{name: $tenant, environment: $tenant}]}"
  aws proton tag-resource --resource-arn "$arn:service/saas/service-instance/$tenant" --tags key=deployment_wave_number,value=$wave
  wave=$((wave + 1))
done
for tenant in red blue; do
  until_is SUCCEEDED serviceInstance.deploymentStatus get-service-instance --service-name saas --name $tenant
done
aws proton update-service-pipeline --service-name saas --deployment-type CURRENT_VERSION --spec '{proton: ServiceSpec, pipeline: {pipe: ok}}'
until_is SUCCEEDED service.pipeline.deploymentStatus get-service --name saas
for wave in 1 2; do
  for tenant in $(aws proton list-service-instances --service-name saas --query 'serviceInstances[].name' --output text); do
    number=$(aws proton list-tags-for-resource --resource-arn "$arn:service/saas/service-instance/$tenant" \
      --query "tags[?key=='deployment_wave_number'].value" --output text)
    [ "$number" = $wave ] || continue
    aws proton update-service-instance --service-name saas --name "$tenant" --deployment-type MINOR_VERSION
    until_is SUCCEEDED serviceInstance.deploymentStatus get-service-instance --service-name saas --name "$tenant"
  done
done
equal "blue red" "$(aws proton list-deployments --service-name saas --query "deployments[?targetResourceType=='SERVICE_INSTANCE'] | [:2].serviceInstanceName | join(' ', @)" --output text)"
