#!/usr/bin/env bash
# Check, without any network, what no test runs: the action's metadata, the workflows, the component, the Dockerfile.
# Expects the tools of .ci/requirements.txt in .ci-cache/venv and those of .ci/package.json in .ci/node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.ci-cache/venv/bin
work=$PWD/.ci-cache/static
rm -rf "$work"
mkdir -p "$work"
workflows=(.github/workflows/*.yml)

# Schemas.
"$tools/check-jsonschema" --builtin-schema vendor.github-actions action.yml
"$tools/check-jsonschema" --builtin-schema vendor.github-workflows "${workflows[@]}"
"$tools/check-jsonschema" --builtin-schema custom.github-workflows-require-timeout "${workflows[@]}"
"$tools/check-jsonschema" --builtin-schema vendor.dependabot .github/dependabot.yml
sed '1,/^---$/d' templates/landed.yml > "$work/component.yml"
"$tools/check-jsonschema" --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$work/component.yml"
"$tools/yamllint" --strict --config-file .ci/yamllint.yaml action.yml .github .pre-commit-config.yaml templates deploy

# Meaning: contexts, expressions, our own action's inputs where a workflow or the README uses it.
.ci/node_modules/.bin/esbuild .ci/language-service.mjs --bundle --platform=node --format=esm --log-level=error \
  --banner:js='import { createRequire } from "module"; const require = createRequire(import.meta.url);' \
  --outfile="$work/language-service.mjs"
node "$work/language-service.mjs" action.yml "${workflows[@]}" README.md

# Security.
"$tools/zizmor" --offline --no-progress --quiet --strict-collection --min-severity medium .github action.yml

# The Dockerfile. A failing step that is swallowed would be seen by nobody.
"$tools/hadolint" --no-color Dockerfile
if grep -nE '(\|\||;) *(true|:)( |$)' Dockerfile; then
  echo 'Dockerfile: a failing step is swallowed' >&2
  exit 1
fi

# The component, as a project would include it.
mkdir "$work/project"
cp -r templates "$work/project/"
cat > "$work/project/.gitlab-ci.yml" << 'PIPELINE'
stages: [deploy]
include:
  - local: templates/landed.yml
    inputs:
      image: localhost/landed:ci
PIPELINE
cd "$work/project"
git init --quiet --initial-branch main
git add .
git -c user.name=ci -c user.email=ci@example.com commit --quiet --message 'A project'
git remote add origin git@gitlab.example.com:group/project.git
../../../.ci/node_modules/.bin/gitlab-ci-local --list
