#!/bin/sh
# Installs the AWS SDK for Java v2, in the version that
# test/conformance/java/pom.xml pins, in .tools/java. What Maven has fetched
# before, for whatever project, is taken from its own repository. Does nothing
# if it is there. Prints that folder.
set -eu
cd "$(dirname "$0")/.."
pins=$PWD/test/conformance/java/pom.xml
folder=$PWD/.tools/java
plugin=org.apache.maven.plugins:maven-dependency-plugin:2.8

command -v java >/dev/null && command -v javac >/dev/null || { echo "a JDK is not installed" >&2; exit 1; }
version=$(javac -version 2>&1 | sed 's/^javac \([0-9]*\).*/\1/')
[ "$version" -ge 17 ] || { echo "JDK 17 or newer is needed" >&2; exit 1; }
if cmp -s "$pins" "$folder/installed.xml"; then
  echo "$folder"
  exit 0
fi
command -v mvn >/dev/null || { echo "Maven is not installed" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder"
mvn --batch-mode --quiet --file "$pins" "$plugin:copy-dependencies" -DincludeScope=runtime "-DoutputDirectory=$folder" >&2
cp "$pins" "$folder/installed.xml"
echo "$folder"
