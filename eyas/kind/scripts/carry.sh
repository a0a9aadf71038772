#!/bin/sh
# carry out|back NAME: bring what a container has in its root to the sources of new binds, or into its root again.
#
# Lines of both lists, fields between tabs: kind, first id of the container on the host (0: no ids of its own), folder,
# path in the container. Run by root-down and root-up when there is a list; nothing of the container runs meanwhile.
#
# out   /run/eyas/carry/NAME, made by an apply: the folder is the source of a bind. One that is not empty is left alone.
#       When it fails, nothing stays at the sources, the whole root is kept at NAME.root beside the list, and
#       NAME.failed says why: root-up refuses to start on data that is not there.
# back  NAME.back, made when that apply is undone: the folder holds what was carried (kind disk), or is in the root that
#       was kept (kind root). It goes into the fresh root.
set -u
way=$1 name=$2
run=/run/eyas
root=$run/roots/$name
list=$run/carry/$name
view=$list.view
tab=$(printf '\t')

# A folder as the container sees it, seen by the host: ids on disk begin at 0, in the root at the container's first.
shown() { # base folder
    mkdir -p "$view"
    if [ "$1" = 0 ]; then
        mount --bind "$2" "$view"
    else
        mount --bind -o "X-mount.idmap=b:0:$1:65536 b:65536:0:1" "$2" "$view"
    fi
}

copy() { # from to
    cp -dR --preserve=mode,ownership,timestamps,links,xattr --reflink=auto "$1/." "$2/" 2>"$list.said"
}

# Links on the way could lead anywhere on the host.
plain() { # path
    [ "$(realpath -e "$1" 2>/dev/null)" = "$1" ] && [ -d "$1" ]
}

one_out() { # base source target
    [ -e "$root$3" ] || return 0
    [ -z "$(ls -A "$2")" ] || return 0
    echo "$2" >>"$list.begun"
    plain "$root$3" || { echo "$3 is no folder, or a link leads to it" >"$list.said"; return 1; }
    shown "$1" "$2" 2>"$list.said" || return 1
    copy "$root$3" "$view" && sync -f "$view" 2>"$list.said"
    code=$?
    umount "$view"
    return $code
}

out() {
    mv "$list" "$list.now"
    while IFS=$tab read -r _ base source target; do
        one_out "$base" "$source" "$target" && continue
        echo "cannot carry $target to $source: $(tail -n 1 "$list.said")" | tee "$list.failed" >&2
        while read -r begun; do
            find "$begun" -mindepth 1 -delete
        done <"$list.begun"
        mkdir -p "$list.root" && mount --bind "$root" "$list.root"
        break
    done <"$list.now"
    rm -f "$list.now" "$list.begun" "$list.said"
}

folders() { # base path
    path=
    while IFS= read -r part; do
        path=$path/$part
        [ -e "$root$path" ] || { mkdir "$root$path" && chown "$1:$1" "$root$path"; } || return 1
    done <<END
$(echo "${2#/}" | tr / '\n')
END
}

one_back() { # kind base folder target
    [ -d "$3" ] || return 0
    folders "$2" "$4" 2>"$list.said" && plain "$root$4" || return 1
    if [ "$1" = root ]; then
        copy "$3" "$root$4"
        return
    fi
    shown "$2" "$3" 2>"$list.said" || return 1
    copy "$view" "$root$4"
    code=$?
    umount "$view"
    return $code
}

back() {
    while IFS=$tab read -r kind base folder target; do
        one_back "$kind" "$base" "$folder" "$target" ||
            echo "cannot bring $target back, it is kept in $folder: $(tail -n 1 "$list.said" 2>/dev/null)" >&2
    done <"$list.back"
    rm -f "$list.back" "$list.said"
    [ -d "$list.root" ] && umount "$list.root" && rmdir "$list.root"
}

case $way in
out) [ -d "$root/usr" ] && out ;;
back) back ;;
esac
rmdir "$view" "$run/carry" 2>/dev/null
exit 0
