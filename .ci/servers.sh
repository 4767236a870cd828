#!/usr/bin/env bash
# Unpack real servers of channels for the tests, on Debian 12, as root, and print where they are:
#
#     export LANDED_TEST_SERVERS=$(.ci/servers.sh .ci-cache/servers)
#
# Everything is kept below the given folder: nothing is installed in the system, and no service is started.
# A call that finds everything in place ends at once; a change of what stands here lets the next one start anew.
set -euo pipefail

readonly SYNAPSE=1.163.2
# Debian 12 is frozen, so it has these versions for good; what follows their last hyphen differs between architectures.
readonly STABLE=(prometheus-alertmanager=0.25.0-1* nats-server=2.9.10-1*)
# Debian 12 lacks these. The first suite that has them gives the version of the day.
readonly MOVING=(ntfy)
readonly MOVING_SUITES=(sid testing)
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  printf '.ci/servers.sh: %s\n' "$*" >&2
  exit 1
}

# run a command whose output matters only if it fails, in which case it is the reason
or_fail() {
  local reason=$1 output
  shift
  output=$("$@" 2>&1) || fail "$reason: $(printf '%s' "$output" | tail -n 12)"
}

# The addresses from which this machine's own sources have its release of Debian; third parties' may be among them.
mirrors() {
  local codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  apt-get update --print-uris 2> /dev/null | sed -n "s|^'\\(.*\\)/dists/$codename/InRelease' .*|\\1|p"
}

# The first of them that Debian has signed and that has what is wanted.
choose_archive() {
  local candidate
  for candidate in $(mirrors); do
    archive=$candidate
    if (suite bookworm && apt-cache show nats-server) > /dev/null 2>&1; then
      return
    fi
  done
  fail "the apt sources of this machine name no archive of Debian that can be reached: is it Debian 12?"
}

# Let apt look at one suite alone, with lists and a cache of its own.
suite() {
  local root=$work/apt-$1 signed=
  mkdir -p "$root"/{lists/partial,cache/archives/partial,empty}
  [ ! -e "$KEYRING" ] || signed="[signed-by=$KEYRING] "
  printf 'deb %s%s %s main\n' "$signed" "$archive" "$1" > "$root/sources.list"
  : > "$root/status"
  cat > "$root/apt.conf" << END
Dir::Etc::SourceList "$root/sources.list";
Dir::Etc::SourceParts "$root/empty";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$root/empty";
Dir::State::Lists "$root/lists";
Dir::State::Status "$root/status";
Dir::Cache "$root/cache";
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::http::Timeout "60";
Acquire::Languages "none";
END
  export APT_CONFIG=$root/apt.conf
  or_fail "cannot read Debian's suite $1" apt-get -q --error-on=any update
}

# Unpack packages of the present suite, and nothing of what they depend on: they are single programs.
unpack() {
  rm -rf "$work/debs"
  mkdir -p "$work/debs"
  (cd "$work/debs" && apt-get -q download "$@") || return 1
  local deb
  for deb in "$work/debs"/*.deb; do
    dpkg -x "$deb" "$into/packages" || return 1
  done
}

moving() {
  local name=$1 suite
  for suite in "${MOVING_SUITES[@]}"; do
    suite "$suite"
    if apt-cache show --no-all-versions "$name" > /dev/null 2>&1; then
      or_fail "cannot download $name from Debian's suite $suite" unpack "$name"
      return
    fi
  done
  fail "none of Debian's suites ${MOVING_SUITES[*]} has $name"
}

synapse() {
  if [ "$("$into/synapse/bin/pip" list --disable-pip-version-check --format freeze 2> /dev/null | grep -i '^matrix.synapse==')" != "matrix-synapse==$SYNAPSE" ]; then
    rm -rf "$into/synapse"
    or_fail 'cannot make a virtual environment (package python3-venv)' python3 -m venv "$into/synapse"
    or_fail "cannot install matrix-synapse $SYNAPSE" \
      "$into/synapse/bin/pip" install --quiet --disable-pip-version-check "matrix-synapse==$SYNAPSE"
  fi
  or_fail 'matrix-synapse does not run here' "$into/synapse/bin/python" -m synapse.app.homeserver --help
}

programs() {
  local program path
  mkdir -p "$into/bin"
  for program in prometheus-alertmanager nats-server ntfy; do
    path=$(cd "$into/packages" && find usr -path "*bin/$program" -type f)
    [ -n "$path" ] || fail "the package of $program holds no program of that name"
    ln -sfn "../packages/$path" "$into/bin/$program"
  done
  alertmanager
  for program in prometheus-alertmanager nats-server ntfy; do
    or_fail "$program does not run here" "$into/bin/$program" --help
  done
}

# Debian's Alertmanager looks for its templates in /usr/share. Let it look where it runs, and let it run beside them.
# The path keeps its length: it stands inside a compiled program.
alertmanager() {
  local program=$into/packages/usr/bin/prometheus-alertmanager templates=/usr/share/prometheus/alertmanager
  sed -i "s|$templates|$(printf '%*s' $((${#templates} / 2)) '' | sed 's|.|./|g')|g" "$program"
  [ -e "$into/packages$templates/default.tmpl" ] || fail 'the package of prometheus-alertmanager holds no templates'
  rm "$into/bin/prometheus-alertmanager"
  cat > "$into/bin/prometheus-alertmanager" << END
#!/bin/sh
cd "\$(dirname "\$0")/../packages$templates" && exec ../../../bin/prometheus-alertmanager "\$@"
END
  chmod +x "$into/bin/prometheus-alertmanager"
}

[ $# -eq 1 ] || fail 'usage: .ci/servers.sh DIR'
mkdir -p "$1"
into=$(cd "$1" && pwd)
complete=$into/.complete-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
exec 9> "$into/.lock"
flock 9
if [ ! -e "$complete" ]; then
  [ "$(id -u)" = 0 ] || fail 'needs to be root'
  command -v apt-get > /dev/null || fail 'needs apt-get: only Debian is supported'
  work=$(mktemp -d "$into/.work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  choose_archive
  rm -rf "$into"/.complete-* "$into/packages" "$into/bin"
  suite bookworm
  or_fail "cannot download ${STABLE[*]} from Debian 12" unpack "${STABLE[@]}"
  for name in "${MOVING[@]}"; do
    moving "$name"
  done
  synapse
  programs
  touch "$complete"
fi
echo "$into"
