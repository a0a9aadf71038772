#!/bin/bash
# probe NAME [SECONDS]: wait until the probes of a container pass, or say which did not.
#
# SECONDS is for one that is up already: after them nothing is tried again, but what is being tried may end.
#
# Run by the container's unit when the container has said that it is ready, so that units ordered after it wait for
# this too. Result in /run/eyas/probes/NAME, a line each: ok|failed <tab> probe <tab> what was seen.
# Exit 0 when all pass, 1 when one did not within its time or the container ended.
name=$1
env=/etc/eyas/containers/$name.env
[ ! -e "/run/eyas/now/$name.json" ] || env=/run/eyas/now/$name.env # as root-up
. "$env"
result=/run/eyas/probes/$name
mkdir -p /run/eyas/probes
lines= code=0 seen= title=
last=${2:+$((SECONDS + $2))}

# Another container may have had these addresses a moment ago, and the host would go on sending to that one for a while.
# shellcheck disable=SC2086  # several words
printf 'neigh flush to %s\n' ${ADDRESSES:-} | ip -batch - >/dev/null 2>&1

get() { local key="PROBE_$1_$2"; printf -v "$3" '%s' "${!key}"; }
alive() { [ -z "${MAINPID:-}" ] || kill -0 "$MAINPID" 2>/dev/null; }

try_tcp() { # port
    seen=$( { exec 3<>"/dev/tcp/$ADDRESS/$1"; } 2>&1 ) && seen="accepts connections" && return 0
    seen="${seen##*: }"
    return 1
}

try_http() { # port path status contains
    local answer body
    # One subshell, so that a server that accepts and says nothing can be left behind by its time limit.
    answer=$(
        exec 2>/dev/null
        exec 3<>"/dev/tcp/$ADDRESS/$1" || exit
        printf 'GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: eyas-probe\r\nConnection: close\r\n\r\n' "$2" "$name" >&3
        IFS= read -r -t 10 status <&3 || exit
        printf '%s\n' "$status"
        [ -n "$4" ] && timeout 10 cat <&3 | tr -d '\0'
    )
    local first=${answer%%[$'\r\n']*}
    if [ -z "$first" ]; then
        seen="no answer"
        return 1
    fi
    seen=$first
    local words
    read -r -a words <<<"$first"
    [ "${words[1]}" = "$3" ] || return 1
    [ -n "$4" ] || return 0
    body=${answer#*$'\n'}
    [[ $body == *"$4"* ]] && return 0
    seen="$first, without '$4'"
    return 1
}

try_command() { # argv
    # What ${this} means is for a shell inside to say. What is given up here ends inside as well, a moment later.
    seen=$(timeout "$most" systemd-run --quiet --machine="$name" --pipe --wait --collect --expand-environment=no \
        --property=RuntimeMaxSec=$((most + 1)) -- "$@" 2>&1 </dev/null)
    local status=$?
    seen=${seen##*$'\n'}
    seen="exit status $status${seen:+: ${seen:0:200}}"
    return $status
}

try_unit() { # unit
    seen=$(systemctl --machine="$name" is-active "$1" 2>&1)
}

wait_for() { # index
    local type port path status contains argv unit timeout end most began=$SECONDS
    get "$1" TYPE type; get "$1" PORT port; get "$1" PATH path; get "$1" STATUS status
    get "$1" CONTAINS contains; get "$1" ARGV argv; get "$1" UNIT unit; get "$1" TIMEOUT timeout
    eval "argv=($argv)" # written by eyas with every word quoted
    case $type in
    tcp) title="tcp $port" ;;
    http) title="http $port $path" ;;
    command) title="command ${argv[*]}" ;;
    unit) title="unit $unit" ;;
    esac
    end=$((SECONDS + timeout)) seen="not tried"
    [ "$end" -le "${last:-$end}" ] || end=$last
    # One that hangs is tried again at a start; later there may be no second try, and it has a minute.
    most=$((timeout / 2 > 30 ? timeout / 2 : 30))
    [ -z "$last" ] || most=60
    local pause=0.02
    while :; do
        case $type in
        tcp) try_tcp "$port" ;;
        http) try_http "$port" "$path" "$status" "$contains" ;;
        command) try_command "${argv[@]}" ;;
        unit) try_unit "$unit" ;;
        esac && { lines+="ok"$'\t'"$title"$'\t'"$seen"$'\n'; return 0; }
        if ! alive; then
            seen="the container ended"
            break
        fi
        [ $SECONDS -lt "$end" ] || break
        [ "$type" = unit ] && [ "$seen" = failed ] && break
        [ "$type" = command ] && [[ $seen == "exit status 78"* ]] && break # EX_CONFIG: waiting will not help
        sleep $pause
        [ $SECONDS -lt $((began + 2)) ] || pause=0.2
    done
    lines+="failed"$'\t'"$title"$'\t'"$seen"$'\n'
    return 1
}

for ((index = 1; index <= PROBE_COUNT; index++)); do
    wait_for $index || { code=1; echo "probe of $name failed: $title $seen" >&2; }
    alive || break
done
printf '%s' "$lines" >"$result.new"
mv "$result.new" "$result"
exit $code
