# Callers learn who they are, become a role, and use a profile that does.
. "$(dirname "$0")/lib.bash"

account=123456789012
equal "arn:aws:iam::$account:root" "$(aws sts get-caller-identity --query Arn --output text)"

cat > trust.json <<END
{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "$account"}}}
END
"$HADRON" role create reader --trust trust.json --policy AWSProtonReadOnlyAccess
role=arn:aws:iam::$account:role/reader

mkdir -p "$HOME/.aws"
cat > "$HOME/.aws/config" <<END
[profile reader]
role_arn = $role
source_profile = base
role_session_name = a-profile
region = eu-west-1
END
cat > "$HOME/.aws/credentials" <<END
[base]
aws_access_key_id = $AWS_ACCESS_KEY_ID
aws_secret_access_key = $AWS_SECRET_ACCESS_KEY
END
key=$(aws sts assume-role --role-arn "$role" --role-session-name by-hand --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text)
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<< "$key"
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
equal "arn:aws:sts::$account:assumed-role/reader/by-hand" "$(aws sts get-caller-identity --query Arn --output text)"
aws proton list-services
refused AccessDeniedException aws proton create-service-template --name x

unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
if [ "$old" = false ]; then # which finds the token service by AWS_ENDPOINT_URL as well
  equal "arn:aws:sts::$account:assumed-role/reader/a-profile" "$(aws sts get-caller-identity --profile reader --query Arn --output text)"
  aws proton list-services --profile reader
fi
