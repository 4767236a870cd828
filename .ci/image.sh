#!/usr/bin/env bash
# Build the real image from the repository's Dockerfile, without a container engine's daemon and without a registry:
#
#     .ci/image.sh tools             install podman, buildah and runc from Debian
#     .ci/image.sh build TAG         build the Dockerfile, on a stand-in for the official Python image
#     .ci/image.sh helper TAG        build the small image that gitlab-ci-local copies files with
#     .ci/image.sh clean             remove containers and volumes that a job left behind
#
# Where Docker and a registry are at hand, `docker build .` is all one needs.
set -euo pipefail
cd "$(dirname "$0")/.."

export CONTAINERS_CONF=$PWD/.ci/containers.conf
unset DOCKER_CONFIG DOCKER_HOST

readonly PYTHON=3.13
readonly STAND_IN=localhost/stand-in-python:$PYTHON-slim
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

tools() {
  local missing=() tool
  for tool in podman buildah runc mmdebstrap rsync; do
    command -v "$tool" > /dev/null || missing+=("$tool")
  done
  [ ${#missing[@]} -eq 0 ] && return
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
}

# The folder of a CPython that is laid out like the official image's /usr/local.
python_prefix() {
  local prefix
  for prefix in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$PYTHON".*; do
    [ -x "$prefix/bin/python$PYTHON" ] && { echo "$prefix"; return; }
  done
  echo "No Python $PYTHON to make the stand-in base image of: 'pyenv install $PYTHON' makes one." >&2
  return 1
}

# Debian 13 with CPython in /usr/local and without any .pyc, as the official image is.
stand_in() {
  podman image exists "$STAND_IN" && return
  local prefix archive copy
  prefix=$(python_prefix)
  archive=$(mktemp --suffix=.tar)
  copy="tar -C '$prefix' --create --exclude=__pycache__ --exclude=test --exclude=tests --exclude=idlelib"
  copy+=" --exclude=turtledemo --exclude=tkinter --exclude='_tkinter*' --exclude='_test*' --exclude='*.a'"
  copy+=" --exclude='config-$PYTHON-*' . | tar -C \"\$1/usr/local\" --extract --no-same-owner"
  mmdebstrap --quiet --variant=minbase \
    --include=ca-certificates,netbase,tzdata,libssl3t64,libffi8,libsqlite3-0,libreadline8t64,libbz2-1.0,liblzma5,zlib1g,libuuid1,libexpat1,libncursesw6 \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$copy" \
    --customize-hook="sed -i '1s|.*|#!/usr/local/bin/python$PYTHON|' \"\$1\"/usr/local/bin/pip*" \
    --customize-hook='chroot "$1" ldconfig' \
    --customize-hook='chroot "$1" /usr/local/bin/python3 -B -c "import bz2, ctypes, hashlib, lzma, ssl, uuid, zlib"' \
    trixie - > "$archive"
  podman import --quiet \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$archive" "$STAND_IN" > /dev/null
  rm "$archive"
}

# Every base image that the Dockerfile names, tag and digest as written.
bases() { sed -nE 's/^FROM +(--platform=[^ ]+ +)?(python:[^ ]+).*/\2/p' Dockerfile | sort -u; }

build() {
  local contexts=() base
  while read -r base; do
    contexts+=(--build-context "$base=container-image://$STAND_IN")
  done < <(bases)
  # The machine's certificates are mounted, over a file that exists, for the length of the build only.
  buildah bud --isolation chroot --network host --pull-never --layers=false --format docker \
    "${contexts[@]}" --volume "$CERTIFICATES:$CERTIFICATES:ro" --tag "$1" .
}

helper() {
  podman image exists "$1" && return
  buildah bud --isolation chroot --network host --pull-never --format docker --tag "$1" --file - . << DOCKERFILE
FROM $STAND_IN
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends rsync
DOCKERFILE
}

clean() {
  podman ps --all --quiet --filter name=gcl- | xargs --no-run-if-empty podman rm --force > /dev/null
  podman volume ls --quiet --filter name=gcl- | xargs --no-run-if-empty podman volume rm --force > /dev/null
}

case ${1:-} in
  tools) tools ;;
  build) stand_in; build "$2" ;;
  helper) stand_in; helper "$2" ;;
  clean) clean ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
