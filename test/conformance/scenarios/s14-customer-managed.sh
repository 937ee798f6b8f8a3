# An environment whose infrastructure exists already: its spec is its outputs.
. "$(dirname "$0")/lib.bash"
mkdir -p imported/schema
cat > imported/schema/schema.yaml <<'END'
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: In
  types:
    In: {type: object, required: [VpcId], properties: {VpcId: {type: string}}}
END
tar -zcf imported.tar.gz imported
aws s3 mb "s3://imported-$AWS_REGION"
aws s3 cp imported.tar.gz "s3://imported-$AWS_REGION/"
aws proton create-environment-template --name imported --provisioning CUSTOMER_MANAGED
aws proton create-environment-template-version --template-name imported --source "s3={bucket=imported-$AWS_REGION,key=imported.tar.gz}"
until_is DRAFT environmentTemplateVersion.status get-environment-template-version --template-name imported --major-version 1 --minor-version 0
equal SUCCEEDED "$(aws proton create-environment --name legacy --template-name imported --template-major-version 1 --template-minor-version 0 \
  --spec '{proton: EnvironmentSpec, spec: {VpcId: vpc-1}}' --query environment.deploymentStatus --output text)"
equal vpc-1 "$(aws proton list-environment-outputs --environment-name legacy --query "outputs[?key=='VpcId'].valueString" --output text)"
aws proton update-environment --name legacy --deployment-type CURRENT_VERSION --spec '{proton: EnvironmentSpec, spec: {VpcId: vpc-2}}'
equal vpc-2 "$(aws proton list-environment-outputs --environment-name legacy --query "outputs[?key=='VpcId'].valueString" --output text)"
aws proton delete-environment --name legacy
gone aws proton get-environment --name legacy
