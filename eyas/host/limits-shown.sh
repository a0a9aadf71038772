# The limits of this unit, where programs inside look for them: at the top of the control groups that they see, which is
# one below the unit's. systemd-nspawn takes it as it finds it; nobody inside can write these files.
while IFS=: read -r number _ group; do [ "$number" != 0 ] || break; done </proc/self/cgroup
case $group in */*.service/*) group=${group%.service/*}.service ;; esac
group=/sys/fs/cgroup$group
if [ -d "$group/payload" ] || mkdir "$group/payload"; then
    for file in memory.max memory.high cpu.max pids.max; do
        # Not every kernel has all.
        if echo "+${file%.*}" >"$group/cgroup.subtree_control" && read -r value <"$group/$file"; then
            echo "$value" >"$group/payload/$file" || :
        fi
    done
fi 2>/dev/null
