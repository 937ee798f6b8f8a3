# Tags: managed ones are listed and stay; children that come later inherit.
. "$(dirname "$0")/lib.bash"
tags() { aws proton list-tags-for-resource --resource-arn "$1" --query "join(' ', tags[?!starts_with(key, 'aws:')].join('=', [key, value]))" --output text; }
one='{name: one, environment: dev}'
aws proton create-service --name s --template-name plain --template-major-version 1 --spec "{proton: ServiceSpec, instances: [$one]}" --tags key=team,value=shop
until_is ACTIVE service.status get-service --name s
equal team=shop "$(tags "$arn:service/s/service-instance/one")"
aws proton tag-resource --resource-arn "$arn:service/s" --tags '[{"key":"k","value":"v"}]'
equal "k=v team=shop" "$(tags "$arn:service/s")"
equal team=shop "$(tags "$arn:service/s/service-instance/one")"
aws proton update-service --name s --spec "{proton: ServiceSpec, instances: [$one, {name: two, environment: dev}]}"
until_is ACTIVE service.status get-service --name s
equal "k=v team=shop" "$(tags "$arn:service/s/service-instance/two")"
aws proton untag-resource --resource-arn "$arn:service/s" --tag-keys '["k"]'
equal team=shop "$(tags "$arn:service/s")"
equal "aws:proton:account aws:proton:template aws:proton:service" "$(aws proton list-tags-for-resource --resource-arn "$arn:service/s" \
  --query "join(' ', tags[?starts_with(key, 'aws:')].key)" --output text)"
refused ValidationException aws proton untag-resource --resource-arn "$arn:service/s" --tag-keys aws:proton:service
refused ValidationException aws proton tag-resource --resource-arn "$arn:service/s" \
  --tags "$(python3 -c 'import json; print(json.dumps([{"key": f"k{n}", "value": ""} for n in range(50)]))')"
