#!/usr/bin/env bash
# Let the action and the GitLab component of a release run one image, by its digest:
#
#     .ci/pin.sh ghcr.io/OWNER/landed@sha256:DIGEST
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-}
if ! [[ $image =~ ^[a-z0-9./_-]+@sha256:[0-9a-f]{64}$ ]]; then
  echo "Not an image with its digest: '$image'" >&2
  exit 2
fi
sed -i "s|^  image: Dockerfile$|  image: docker://$image|" action.yml
sed -i "s|^      description: The image it runs in.*|&\n      default: $image|" templates/landed.yml
grep --quiet --fixed-strings "docker://$image" action.yml
grep --quiet --fixed-strings "default: $image" templates/landed.yml
