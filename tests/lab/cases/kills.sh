#: kills-apply-el7 el7 bridge 80 apply 2 13 | the guest is killed in apply, twice (--all: 13 times): booted, recovered, compared
#: kills-apply-el5 el5 bridge 80 apply 2 12 | the same on EL5
#: kills-rollback-el7 el7 bridge 80 rollback 2 13 | the guest is killed in rollback, twice (--all: 13 times)
#: kills-rollback-el5 el5 bridge ~80 rollback 2 12 | the same on EL5
#: undo-el7 el7 bridge ~30 undo | undo.sh instead of the program, by a POSIX shell, twice
#: undo-el5 el5 bridge 30 undo | the same on EL5

# The power goes at a random instant of a run: what the guest has handed to its files is on them,
# for they are the build machine's. Loss of what was not made durable is the model's to show.
read -r WHAT KILLS MOST <<< "$ARG"
[[ -z $ALL ]] || KILLS=$MOST

milliseconds() { local t=$EPOCHREALTIME; echo $((${t%.*} * 1000 + 10#${t#*.} / 1000)); }
recovered() { # after the kill of the boot before: by resume and by rollback in turn
    if (($(cat /lab/boots) % 2)); then
        xen 0 resume
        if [[ -e $NET/bond51 ]]; then
            xen 0 verify
            bond_stands
            flows
        fi
    fi
    xen 0 rollback --yes
    same_as before
}
struck() { # runs `xenbond ARGUMENT...` and lets the power go meanwhile
    local took wait
    took=$(cat /lab/took)
    wait=$(random "$took")
    [[ ! -s /lab/failures ]] || return
    echo "the power goes after $wait of $took ms of xenbond $1"
    echo again > /lab/status
    /usr/bin/xenbond "$@" > /dev/null 2>&1 < /dev/null &
    sleep "$((wait / 1000)).$(printf %03d $((wait % 1000)))"
    echo o > /proc/sysrq-trigger
    sleep 10
}
round() { # NUMBER
    if (($1 == 1)); then
        snapshot before
        # How long it takes here, where nobody disturbs it.
        local start
        start=$(milliseconds)
        xen 0 apply "${SPEC[@]}" --yes
        echo $(($(milliseconds) - start)) > /lab/took
        start=$(milliseconds)
        xen 0 rollback --yes
        [[ $WHAT == apply ]] || echo $(($(milliseconds) - start)) > /lab/took
        same_as before
    else
        recovered
    fi
    (($1 <= KILLS)) || return 0
    if [[ $WHAT == apply ]]; then
        struck apply "${SPEC[@]}" --yes
    else
        xen 0 apply "${SPEC[@]}" --yes
        struck rollback --yes
    fi
}
if [[ $WHAT == undo ]]; then
    boot_1() {
        printf 'DEVICE=eth2\nONBOOT=no\n' > /etc/sysconfig/network-scripts/ifcfg-eth2
        snapshot before
        xen 0 apply "${SPEC[@]}" --yes
        bond_stands
        for time in first second; do
            dash /var/lib/xenbond/current/undo.sh || bad "undo.sh, the $time time: status $?"
            snapshot now
            diff -u /lab/snapshot-before /lab/snapshot-now || bad "undo.sh did not undo all, the $time time"
        done
        xen 0 rollback --yes
        same_as before
    }
    boot_2() { same_as before; }
else
    for ((n = 1; n <= KILLS + 1; n++)); do eval "boot_$n() { round $n; }"; done
fi
