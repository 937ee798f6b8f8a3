# Deployments that are cancelled and that fail, and what can be done then.
. "$(dirname "$0")/lib.bash"
spec() { echo "{proton: ServiceSpec, pipeline: {pipe: ok}, instances: [{name: one, environment: dev, spec: {mode: $1}}]}"; }
service orders "$(spec ok)"
update() { aws proton update-service-instance --service-name orders --name one --deployment-type CURRENT_VERSION "$@"; }
cancel() { aws proton cancel-service-instance-deployment --service-name orders --service-instance-name one "$@"; }
status() { until_is "$1" serviceInstance.deploymentStatus get-service-instance --service-name orders --name one; }
refused ConflictException cancel
update --spec "$(spec hold)"
refused ConflictException update
equal CANCELLING "$(cancel --query serviceInstance.deploymentStatus --output text)"
status CANCELLED
# It is as it was before.
equal "$(spec ok)" "$(aws proton get-service-instance --service-name orders --name one --query serviceInstance.spec --output text)"
failed=$(update --spec "$(spec fail)" --query serviceInstance.lastAttemptedDeploymentId --output text)
status FAILED
update
status SUCCEEDED
equal "FAILED fail" "$(aws proton get-deployment --id "$failed" --query "deployment.[deploymentStatus, targetState.serviceInstance.spec]" --output text |
  sed 's/\t.*mode: \([a-z]*\).*/ \1/')"
equal 4 "$(aws proton list-deployments --service-name orders --service-instance-name one --query 'length(deployments)')"
aws proton delete-deployment --id "$failed"
equal 3 "$(aws proton list-deployments --service-name orders --service-instance-name one --query 'length(deployments)')"
