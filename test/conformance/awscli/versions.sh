# Bundles from a bucket, and the life of template versions.
. "$(dirname "$0")/lib.bash"
bucket=cli-versions
aws s3 mb "s3://$bucket"
environment_schema environment
manifest environment/infrastructure/manifest.yaml 'echo "{}" > proton-outputs.json' 'true'
tar -zcf env.tar.gz environment/
aws s3 cp env.tar.gz "s3://$bucket/env.tar.gz"
aws s3 cp "s3://$bucket/env.tar.gz" copy.tar.gz
cmp env.tar.gz copy.tar.gz
case $(aws s3 ls "s3://$bucket") in *env.tar.gz) ;; *) exit 1 ;; esac

aws proton create-environment-template --name vpc
equal "1 0 REGISTRATION_IN_PROGRESS" "$(aws proton create-environment-template-version --template-name vpc --description "Version 1" \
  --source s3="{bucket=$bucket,key=env.tar.gz}" --query "join(' ', environmentTemplateVersion.[majorVersion, minorVersion, status])" --output text)"
aws proton wait environment-template-version-registered --template-name vpc --major-version 1 --minor-version 0
refused ResourceNotFoundException aws proton create-environment-template-version --template-name vpc --major-version 7 --source "s3={bucket=$bucket,key=env.tar.gz}"
equal PUBLISHED "$(aws proton update-environment-template-version --template-name vpc --major-version 1 --minor-version 0 --status PUBLISHED \
  --query environmentTemplateVersion.status --output text)"
equal 1.0 "$(aws proton get-environment-template --name vpc --query environmentTemplate.recommendedVersion --output text)"

# An incompatible minor fails to register; the same is fine as a new major.
sed -i 's/^      properties:/      required: [owner]\n      properties:\n        owner: {type: string}/' environment/schema/schema.yaml
tar -zcf env2.tar.gz -C environment . # without a folder around it
aws s3 cp env2.tar.gz "s3://$bucket/dir/env2.tar.gz"
aws proton create-environment-template-version --template-name vpc --major-version 1 --source s3="{bucket=$bucket,key=dir/env2.tar.gz}"
if aws proton wait environment-template-version-registered --template-name vpc --major-version 1 --minor-version 1; then exit 1; fi
case $(aws proton get-environment-template-version --template-name vpc --major-version 1 --minor-version 1 \
  --query "environmentTemplateVersion.join(':', [status, statusMessage])" --output text) in
  REGISTRATION_FAILED:*owner*) ;; *) exit 1 ;;
esac
aws proton create-environment-template-version --template-name vpc --source s3="{bucket=$bucket,key=dir/env2.tar.gz}"
aws proton wait environment-template-version-registered --template-name vpc --major-version 2 --minor-version 0
equal "2.0 1.0" "$(aws proton list-environment-template-versions --template-name vpc --query "join(' ', templateVersions[].join('.', [majorVersion, minorVersion]))" --output text)"

service_schema service
manifest service/instance_infrastructure/manifest.yaml 'true' 'true'
tar -zcf svc.tar.gz service/
aws s3 cp svc.tar.gz "s3://$bucket/svc.tar.gz"
aws proton create-service-template --name web --pipeline-provisioning CUSTOMER_MANAGED
aws proton create-service-template-version --template-name web --source s3="{bucket=$bucket,key=svc.tar.gz}" \
  --compatible-environment-templates '[{"templateName":"vpc","majorVersion":"1"}]' --supported-component-sources DIRECTLY_DEFINED
aws proton wait service-template-version-registered --template-name web --major-version 1 --minor-version 0
aws proton update-service-template-version --template-name web --major-version 1 --minor-version 0 --status PUBLISHED

refused ConflictException aws proton delete-service-template --name web
for kind in service:web environment:vpc; do
  aws proton "list-${kind%:*}-template-versions" --template-name "${kind#*:}" --output text --query 'templateVersions[].majorVersion' | tr '\t' '\n' |
    while read -r major; do
      aws proton "list-${kind%:*}-template-versions" --template-name "${kind#*:}" --major-version "$major" --output text --query 'templateVersions[].minorVersion' |
        tr '\t' '\n' | sort | while read -r minor; do
          # The recommended version of several goes last.
          aws proton "delete-${kind%:*}-template-version" --template-name "${kind#*:}" --major-version "$major" --minor-version "$minor" || echo later
        done
    done
  while read -r major minor; do
    aws proton "delete-${kind%:*}-template-version" --template-name "${kind#*:}" --major-version "$major" --minor-version "$minor"
  done < <(aws proton "list-${kind%:*}-template-versions" --template-name "${kind#*:}" --output text --query 'templateVersions[].[majorVersion, minorVersion]')
  aws proton "delete-${kind%:*}-template" --name "${kind#*:}"
done
equal "" "$(aws proton list-environment-templates --query 'templates[].name' --output text)"
aws s3 rm "s3://$bucket" --recursive
aws s3 rb "s3://$bucket"
