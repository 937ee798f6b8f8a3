# Where the instance is; read by provision.sh and deprovision.sh.
service=$(input service.name)
name=$(input service_instance.name)
network=$(input environment.outputs.NetworkDir)
place=$network/services/$service/$name

# file_url prints the address of a file as browsers take it.
file_url() { printf 'file://%s' "$1" | sed 's/%/%25/g; s/ /%20/g; s/#/%23/g; s/?/%3F/g; s/"/%22/g'; }
