#!/bin/bash
# nginx in generations: a reload starts a second nginx beside the first, then new connections go to it, and what was
# open stays where it is. (nginx's own reload keeps TCP connections, but old and new workers read the same UDP sockets,
# which breaks every HTTP/3 connection.)
#
# Generation N is /run/nginx/N, with etc/ as a copy of /etc/nginx in which the addresses in listen/* are 169.254.80.N
# and fd65:7961:7300::N, of the loopback. Table inet nginx leads new connections to one generation: that one is current,
# and nothing else says so. Connection tracking leaves the others where they were. Killed at any moment, a reload leaves
# one generation too many at most, which retire ends.
#
# usage: nginx-generation start|reload|try|retire|reopen|clear
#   start    the first generation, for a unit with Type=forking and PIDFile=/run/nginx.pid (ExecStart=)
#   reload   another one beside it; when that fails, everything is as it was (ExecReload=)
#   try      look at the files that the next reload is to use, below /var/lib/eyas-try/nginx.service
#   retire   as long as there are old ones: end those that nobody uses, and those whose answers are no longer right.
#            GRACE: seconds that one may go on, and once more when it was told to end. MOST: how many, the oldest is cut
#   reopen   all generations open their logs anew (logrotate)
#   clear    lead nobody anywhere (ExecStopPost=)
set -eu
run=/run/nginx
four=169.254.80
six=fd65:7961:7300:
candidates=/var/lib/eyas-try/nginx.service
settle=2 # seconds for a handshake that began before the switch

fail() {
    echo "nginx-generation: cannot $1" >&2
    exit 1
}

# The generation that new connections go to; empty when there is none.
current() {
    local rules
    rules=$(nft list chain inet nginx current 2>/dev/null) || return 0
    if [[ $rules =~ " dnat ip to $four."([0-9]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    fi
}

generations() {
    local dir
    for dir in "$run"/[0-9]*/; do
        dir=${dir%/}
        [ ! -d "$dir" ] || echo "${dir##*/}"
    done
}

# The process number of a generation, if it runs. By the shell alone: it is asked for while somebody waits.
master() {
    local pid='' title=''
    { read -r pid <"$run/$1/pid" && read -r -d '' title <"/proc/$pid/cmdline"; } 2>/dev/null || :
    [[ $pid && $title == *"master process /usr/sbin/nginx -c $run/$1/etc/"* ]] && echo "$pid"
}

# Where systemd looks when the process that it knows ends (systemd.service(5), PIDFile=).
main_process() {
    echo "$1" >"$run/pid.new" && mv "$run/pid.new" /run/nginx.pid
}

forget() {
    ip address del "$four.$1/32" dev lo 2>/dev/null || :
    ip -6 address del "$six:$1/128" dev lo 2>/dev/null || :
    rm -rf "${run:?}/$1"
}

# A copy of /etc/nginx in $1, without what nobody reads (times, attributes).
copy() {
    mkdir -p "$1" && cp -dR --preserve=mode,ownership /etc/nginx/. "$1"
}

# All that generation $1 reads, and its addresses: never a source of connections, never shown as the machine's own.
prepare() {
    local etc=$run/$1/etc addressed
    # nodad: or the kernel looks for others who have it, on a busy machine for longer than nginx takes to ask for it.
    printf 'address replace %s\n' "$four.$1/32 dev lo scope host" "$six:$1/128 dev lo nodad preferred_lft 0" |
        ip -batch - &
    addressed=$!
    copy "$etc" &&
        sed -E -i "s/^( *listen )\[::\]:/\1[$six:$1]:/; s/^( *listen )(127\.0\.0\.1:)?([0-9]+[ ;])/\1$four.$1:\3/" \
            "$etc"/listen/* || return 1
    wait "$addressed"
}

# Ports that listen/* opens, with commas between, in three lines: TCP to others, UDP to others (QUIC), TCP on the
# loopback only.
ports() {
    awk '
        $1 != "listen" { next }
        { gsub(";", ""); port = $2; kind = / quic( |$)/ ? 2 : 1 }
        sub(/^127\.0\.0\.1:/, "", port) { kind = 3 }
        port ~ /^[0-9]+$/ && !seen[kind, port]++ { list[kind] = list[kind] (list[kind] ? "," : "") port }
        END { for (kind = 1; kind <= 3; kind++) print list[kind] }
    ' /etc/nginx/listen/*
}

# The table that leads new connections to generation $1, in one transaction.
rules() {
    local proto list inner
    local -A to
    { read -r "to[tcp]" && read -r "to[udp]" && read -r inner; } < <(ports)
    [ -z "$inner" ] || inner="oif lo ip daddr 127.0.0.1 tcp dport { $inner } dnat ip to $four.$1;"
    echo "table inet nginx
delete table inet nginx
table inet nginx {
    chain current {
        ip daddr $four.0/24 return
        ip6 daddr $six:/64 return"
    for proto in tcp udp; do
        list=${to[$proto]}
        [ -n "$list" ] || continue
        echo "        meta nfproto ipv4 $proto dport { $list } dnat ip to $four.$1"
        echo "        meta nfproto ipv6 $proto dport { $list } dnat ip6 to $six:$1"
    done
    echo "    }
    chain prerouting { type nat hook prerouting priority dstnat; iif != lo jump current; }
    chain output { type nat hook output priority -100; $inner oif lo jump current; }
    chain guard {
        type filter hook prerouting priority mangle
        iif != lo ip daddr $four.0/24 drop
        iif != lo ip6 daddr $six:/64 drop
    }
}"
}

# Start generation $1 and lead new connections to it. Nothing has changed for anybody when it fails.
begin() {
    local conf=$run/$1/etc/nginx.conf pid='' tries
    prepare "$1" || return 1
    # It reads everything before it becomes a daemon, and says then what is wrong: a look of its own would only cost.
    if ! /usr/sbin/nginx -c "$conf" -g "pid $run/$1/pid; daemon on; master_process on;" 9>&- 2>"$run/$1/said"; then
        sed "s|$run/$1/etc|/etc/nginx|g" "$run/$1/said" >&2 # where a person would look
        return 1
    fi
    exec 7<> <(:) # nothing ever comes from there: a pause without a process
    for ((tries = 0; tries < 6000; tries++)); do # what we started ends before the number of its child is written
        pid=$(master "$1") && break
        read -r -t 0.005 -u 7 || :
    done
    exec 7>&-
    [ -n "$pid" ] && main_process "$pid" && rules "$1" | nft -f -
}

start() {
    local number
    clear
    for number in $(generations); do
        forget "$number"
    done
    # nginx ends an HTTP/3 connection that rests for keepalive_timeout (75 s): its flow has to be known for longer.
    # A packet that comes late or twice must not miss its connection.
    echo 120 >/proc/sys/net/netfilter/nf_conntrack_udp_timeout
    # Each request is a connection to a backend, whose port would rest for 60 s: that is enough for 470 a second only,
    # and the search for a free one takes most of the time then. With timestamps (RFC 6191) 1 s of rest is safe.
    echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse
    echo 1 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal
    if ! begin 1; then
        clear
        forget 1
        fail "start nginx"
    fi
}

reload() {
    local old number
    old=$(current)
    if [ -z "$old" ] || ! master "$old" >/dev/null; then
        fail "reload nginx: it does not run"
    fi
    number=$((old % 250 + 1))
    while [ -e "$run/$number" ]; do
        number=$((number % 250 + 1))
    done
    # It waits for our lock, so it looks around when this is over, however it ends.
    systemctl --no-block restart nginx-retire.service 9>&- &
    if ! begin "$number"; then
        main_process "$(master "$old")"
        [ -n "$(master "$number")" ] || forget "$number"
        wait
        fail "reload nginx: it goes on as it was"
    fi
    wait # for what was only asked for
}

clear() {
    nft 'table inet nginx; delete table inet nginx'
}

# How many connections generation $1 has, by its own count, without the one that asks. Unknown is one.
connections() {
    local line count=2
    if exec 8<>"/dev/tcp/$four.$1/8081"; then
        printf 'GET / HTTP/1.0\r\n\r\n' >&8
        while read -r -t 2 -u 8 line; do
            case $line in "Active connections:"*) count=${line//[^0-9]/} ;; esac
        done
        exec 8>&-
    fi 2>/dev/null
    echo $((count - 1))
}

# Whether generation $1 answers as $2 does, as far as it answers: what was added since then does not concern it.
agrees() {
    ! diff -rq -x listen "$run/$1/etc" "$run/$2/etc" | grep -qv "^Only in $run/$2/etc[/:]"
}

# One look at the old generation $1 beside $2: how long it is old, and its process.
look() {
    local dir=$run/$1 now since age pid
    pid=$(master "$1") || return 1
    read -r now _ </proc/uptime
    now=${now%.*}
    [ -s "$dir/since" ] || echo "$now" >"$dir/since"
    read -r since <"$dir/since"
    age=$((now - since))
    echo "$age $pid"
    if [ ! -e "$dir/told" ] && [ "$age" -ge "$settle" ]; then
        if [ "$age" -ge "$GRACE" ] || ! agrees "$1" "$2" || [ "$(connections "$1")" -le 0 ]; then
            kill -QUIT "$pid" && touch "$dir/told"
        fi
    fi
}

retire() {
    local now number seen old
    while :; do
        exec 9>"$run/lock"
        flock 9
        now=$(current)
        [ -n "$now" ] || return 0
        old=()
        for number in $(generations); do
            [ "$number" != "$now" ] || continue
            if seen=$(look "$number" "$now"); then
                old+=("$seen")
            else
                forget "$number"
            fi
        done
        if [ "${#old[@]}" -gt "$MOST" ]; then
            printf '%s\n' "${old[@]}" | sort -rn | head -n 1 | cut -d ' ' -f 2 | xargs kill -TERM
        fi
        [ "${#old[@]}" -gt 0 ] || return 0
        exec 9>&-
        sleep 1
    done
}

# A copy of /etc/nginx in $1, with the files that are to come and without those that go (list). What else is to come,
# and is named in it, is read where it stands now.
candidate() {
    local etc=$1 what path
    copy "$etc"
    [ ! -d "$candidates/root/etc/nginx" ] || cp -a --remove-destination "$candidates/root/etc/nginx/." "$etc"
    while read -r what path; do
        case $what$path in
        put/etc/nginx/*) ;; # with all others
        drop/etc/nginx/*) rm -f "$etc/${path#/etc/nginx/}" ;;
        put*) [ "${path//[|&\\]/}" != "$path" ] || sed -i "s|${path//./\\.}|$candidates/root$path|g" "$etc"/conf.d/* ;;
        esac
    done <"$candidates/list"
}

# Certificates that are not there yet are issued before the reload: another one stands in for them.
stand_in() {
    local etc=$1 path made=$run/try/stand-in.pem
    sed -En 's/^ *ssl_certificate(_key)? +"?([^";]+)"?;.*/\2/p' "$etc"/conf.d/* | sort -u | while read -r path; do
        [ ! -e "$path" ] || continue
        [ -e "$made" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
            -subj /CN=localhost -keyout "$made" 2>/dev/null >"$made.crt"
        [ ! -e "$made.crt" ] || { cat "$made.crt" >>"$made" && rm "$made.crt"; }
        sed -i "s|${path//./\\.}|$made|g" "$etc"/conf.d/*
    done
}

try() {
    local etc=$run/try/etc said='' wrong=0
    [ ! -e "$run/try" ] || rm -rf "$run/try"
    candidate "$etc" && stand_in "$etc"
    said=$(/usr/sbin/nginx -t -q -c "$etc/nginx.conf" -g "pid $run/try/pid;" 2>&1) || wrong=1
    rm -rf "$run/try" "$candidates"
    # What is not there now may come with the rest of what changes: the reload looks again.
    if [ "$wrong" = 1 ] && [ "${said/(2: No such file/}" = "$said" ]; then
        said=$(echo "${said//"$etc"//etc/nginx}" | sed -E 's/^.*\[emerg\] ([0-9]+#[0-9]+: )?//; q')
        echo "$said" >"$candidates.said"
        fail "use these files: $said"
    fi
}

reopen() {
    local number pid
    for number in $(generations); do
        pid=$(master "$number") && kill -USR1 "$pid"
    done
    return 0
}

[ -d "$run" ] || mkdir -p "$run"
case ${1:-} in
start | reload)
    mapfile -t groups </proc/self/cgroup
    [[ " ${groups[*]} " == *"/nginx.service "* ]] || fail "$1 nginx from here: systemctl $1 nginx"
    exec 9>"$run/lock"
    flock 9
    "$1"
    ;;
retire) GRACE=${GRACE:-3600} MOST=${MOST:-8} retire ;;
try | reopen) "$1" ;;
clear) clear ;;
*) fail "do '${1:-}': start, reload, try, retire, reopen or clear" ;;
esac
