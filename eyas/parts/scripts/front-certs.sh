#!/bin/sh
# One certificate for all names of the front, from a private authority. Does nothing when the present one covers the
# names, comes from the present authority and lasts 30 more days.
# usage: front-certs DIRECTORY NAMES-FILE [--reload | COMMAND...]
#   --reload    reload nginx when there is a new one
#   COMMAND...  in any case, what comes next in this process's stead: a process of its own would cost clients time
#   DIRECTORY/ca/{ca.crt,ca.key}                     the authority; made when missing, used as it is when there
#   DIRECTORY/front/current/{fullchain.pem,key.pem}  what nginx serves
#   DIRECTORY/front/quic.key                         by which clients of HTTP/3 are told that their connection is gone
set -eu
umask 077
dir=$1
names=$2
ca=$dir/ca
front=$dir/front
current=$front/current
shift 2
reload=
[ "${1:-}" != --reload ] || { reload=yes; shift; }

over() {
    umask 022
    [ "$#" = 0 ] || exec "$@"
    exit 0
}

# What a pair has to be made for, in a word: these names, by this authority.
purpose() {
    sum=$(cat "$names" "$ca/ca.crt" | sha256sum)
    echo "${sum%% *}"
}

# Whether the present pair does.
good() {
    [ -s "$ca/ca.key" ] && [ -s "$front/quic.key" ] && [ -s "$current/made-for" ] &&
        read -r made <"$current/made-for" && [ "$made" = "$(purpose)" ] &&
        openssl x509 -in "$current/fullchain.pem" -noout -checkend 2592000 >/dev/null
}

[ ! -s "$ca/ca.crt" ] || ! good || over "$@"
mkdir -p "$ca" "$front"
chmod 0755 "$dir" "$ca"

if [ ! -s "$ca/ca.crt" ] || [ ! -s "$ca/ca.key" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj "/CN=private authority of $(cat /etc/hostname)" -addext "basicConstraints=critical,CA:TRUE" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$ca/ca.key.new" -out "$ca/ca.crt.new" 2>/dev/null
    mv "$ca/ca.key.new" "$ca/ca.key"
    mv "$ca/ca.crt.new" "$ca/ca.crt"
fi
chmod 0644 "$ca/ca.crt"

if [ ! -s "$front/quic.key" ]; then
    openssl rand -out "$front/quic.key.new" 64
    mv "$front/quic.key.new" "$front/quic.key"
fi

! good || over "$@"

# A pair in a directory of its own, then one rename of a link: nginx never sees a key without its certificate.
new=$(mktemp -d "$front/made.XXXXXXXX")
{
    echo "basicConstraints=critical,CA:FALSE"
    echo "extendedKeyUsage=serverAuth"
    echo "subjectAltName=$(sed 's/^/DNS:/' "$names" | paste -s -d ,)"
} >"$new/extensions"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=front" \
    -keyout "$new/key.pem" -out "$new/request.pem" 2>/dev/null
openssl x509 -req -in "$new/request.pem" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days 397 -extfile "$new/extensions" -out "$new/cert.pem" 2>/dev/null
cat "$new/cert.pem" "$ca/ca.crt" >"$new/fullchain.pem"
purpose >"$new/made-for"
sync "$new/key.pem" "$new/fullchain.pem" "$new/made-for" "$new"
ln -sfn "$(basename "$new")" "$front/current.new"
mv -T "$front/current.new" "$current"
for old in "$front"/made.*; do
    [ "$old" = "$new" ] || rm -rf "$old"
done
[ -z "$reload" ] || systemctl reload nginx.service
over "$@"
