# An environment account offers itself to a management account.
. "$(dirname "$0")/lib.bash"
cat > all.json <<'END'
{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["proton:*", "iam:PassRole"], "Resource": "*"}}
END
"$HADRON" user create "env-$AWS_REGION" --account 999988887777 --policy all.json --output json > key.json
value() { python3 -c 'import json, sys; print(json.load(open("key.json"))[sys.argv[1]])' "$1"; }
id=$(value accessKeyId) secret=$(value secretAccessKey)
theirs() { AWS_ACCESS_KEY_ID=$id AWS_SECRET_ACCESS_KEY=$secret aws proton "$@"; }

role=arn:aws:iam::999988887777:role/proton
connect() { theirs create-environment-account-connection --environment-name "$1" --management-account-id 123456789012 --role-arn $role --query environmentAccountConnection.id --output text; }
far=$(connect far)
near=$(connect near)
equal PENDING "$(theirs list-environment-account-connections --requested-by ENVIRONMENT_ACCOUNT --environment-name far --query 'environmentAccountConnections[].status' --output text)"
equal CONNECTED "$(aws proton accept-environment-account-connection --id "$far" --query environmentAccountConnection.status --output text)"
equal REJECTED "$(aws proton reject-environment-account-connection --id "$near" --query environmentAccountConnection.status --output text)"
create() { aws proton create-environment --name "$1" --template-name net --template-major-version 1 --environment-account-connection-id "$far" --spec '{proton: EnvironmentSpec, spec: {}}' "${@:2}"; }
refused ValidationException create another
equal 999988887777 "$(create far --query environment.environmentAccountId --output text)"
refused ConflictException aws proton reject-environment-account-connection --id "$far"
refused ResourceNotFoundException theirs get-environment --name far
until_is SUCCEEDED environment.deploymentStatus get-environment --name far
equal "${role}2" "$(theirs update-environment-account-connection --id "$far" --role-arn ${role}2 --query environmentAccountConnection.roleArn --output text)"
theirs delete-environment-account-connection --id "$far"
# The environment cannot be managed until another connection is accepted.
refused ValidationException aws proton delete-environment --name far
aws proton accept-environment-account-connection --id "$(connect far)"
aws proton delete-environment --name far
gone aws proton get-environment --name far
