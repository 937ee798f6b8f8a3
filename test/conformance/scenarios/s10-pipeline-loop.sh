# What surviving delivery pipelines do: read the service's spec, set an image
# in it, and deploy instance by instance with the whole of it.
. "$(dirname "$0")/lib.bash"
cat > spec.yaml <<'END'
proton: ServiceSpec
pipeline:
  pipe: ok   # stays
instances:
  - name: one
    environment: dev
    spec: {mode: ok}
  - name: two
    environment: dev
    spec: {mode: ok}
END
service orders file://spec.yaml
aws proton get-service --name orders --query service.spec --output json | python3 -c 'import json, sys; sys.stdout.write(json.load(sys.stdin))' > service.yaml
cmp spec.yaml service.yaml
sed 's/{mode: ok}/{mode: ok, image: "registry\/orders:1"}/' service.yaml > rendered_service.yaml
for instance in one two; do
  equal IN_PROGRESS "$(aws proton update-service-instance --deployment-type CURRENT_VERSION --name $instance --service-name orders \
    --spec file://rendered_service.yaml --query serviceInstance.deploymentStatus --output text)"
  until_is SUCCEEDED serviceInstance.deploymentStatus get-service-instance --name $instance --service-name orders
  aws proton wait service-instance-deployed --name $instance --service-name orders
  # Only this instance's entry has changed in what is in force.
  case $instance in one) want=1 ;; two) want=2 ;; esac
  equal $want "$(aws proton get-service --name orders --query service.spec --output text | grep -c registry/orders:1)"
done
