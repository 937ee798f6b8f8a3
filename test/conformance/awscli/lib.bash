# What the scripts share. They run with -e: the first command that fails fails
# the test. AWS_ENDPOINT_URL and the key are in the environment.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Clients from before mid-2023 do not read AWS_ENDPOINT_URL, and lack the
# operations that were added then.
old=false
case $(aws --version 2>&1) in
  aws-cli/1.2[0-7].* | aws-cli/1.1* | aws-cli/2.[0-9].* | aws-cli/2.1[0-2].*)
    old=true
    aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; } ;;
esac
set -x

# equal WANT GOT
equal() { [ "$1" = "$2" ] || { echo "want: $1"; echo " got: $2"; exit 1; }; }

# refused CODE COMMAND...: the command fails, and its error names the code.
refused() {
  local code=$1 out
  shift
  if out=$("$@" 2>&1); then echo "not refused: $out"; exit 1; fi
  case $out in *"($code)"*) ;; *) echo "want $code, got: $out"; exit 1 ;; esac
}

# gone COMMAND...: waits until the command says ResourceNotFoundException.
gone() {
  local n out
  for n in $(seq 100); do
    out=$("$@" 2>&1) || case $out in *"(ResourceNotFoundException)"*) return 0 ;; esac
    sleep 0.2
  done
  echo "still there: $out"
  exit 1
}

# manifest FILE PROVISION DEPROVISION: one command each.
manifest() {
  mkdir -p "$(dirname "$1")"
  cat > "$1" <<EOF
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/standard:6.0
        env:
          variables:
            GREETING: hello
        provision:
          - $2
        deprovision:
          - $3
EOF
}

environment_schema() {
  mkdir -p "$1/schema"
  cat > "$1/schema/schema.yaml" <<'EOF'
schema:
  format:
    openapi: "3.0.0"
  environment_input_type: In
  types:
    In:
      type: object
      properties:
        size:
          type: string
          enum: [small, large]
          default: small
EOF
}

service_schema() {
  mkdir -p "$1/schema"
  cat > "$1/schema/schema.yaml" <<'EOF'
schema:
  format:
    openapi: "3.0.0"
  service_input_type: In
  types:
    In:
      type: object
      required: [port]
      properties:
        port:
          type: number
EOF
}
