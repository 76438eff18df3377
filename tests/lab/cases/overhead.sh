#: overhead el7 bridge - | for tests/bench/run --lab: apply against a script of its commands, 10 times each

# Runs only when it is named: it measures, into /lab/times, and fails only where something else does.
ready=/lab/ready
timed() { # WHAT COMMAND...
    local start=$EPOCHREALTIME what=$1; shift
    "$@" > /lab/out 2>&1 < /dev/null || bad "$*: status $?: $(tail -n 3 /lab/out | xargs -d '\n')"
    echo "$what $((${EPOCHREALTIME/./} - ${start/./}))" >> /lab/times
}
back() { timed rollback xenbond rollback --yes; }
record() { # on|off: every program that apply runs notes its beginning and its end
    local program path
    for program in xe modprobe modinfo chkconfig systemctl logger arping ping ifup; do
        path=$(PATH=/sbin:/usr/sbin:/bin:/usr/bin:/opt/xensource/bin type -P $program) || continue
        if [[ $1 == off ]]; then mv -f "/lab/real/$program" "$path"; continue; fi
        mkdir -p /lab/real
        mv "$path" "/lab/real/$program"
        # What a recorded program runs itself is its own.
        printf '#!/bin/bash\n[[ -n $RECORDED ]] && exec /lab/real/%s "$@"\nexport RECORDED=1\necho "+ $$ $(printf "%%q " %s "$@")" >> /lab/ran\n/lab/real/%s "$@"; status=$?\necho "- $$" >> /lab/ran\nexit $status\n' $program "$path" $program > "$path"
        chmod 755 "$path"
    done
}
uuid_of() { xe pif-list host-name-label="$(< /etc/hostname)" device="$1" params=uuid --minimal; }
same_script() { # what apply ran, looks and proofs and all: in the same order, as much at once
    local event pid command copied= eth2 eth3
    eth2=$(uuid_of eth2) eth3=$(uuid_of eth3)
    while read -r event pid command; do
        command=${command//$was_eth2/$eth2} command=${command//$was_eth3/$eth3}
        if [[ $event == - ]]; then echo "wait \$p$pid"; continue; fi
        if [[ $command == *\ pif-forget\ * && -z $copied ]]; then copied=1; echo "cp -pr $ready/etc /"; fi
        echo "$command & p$pid=\$!"
    done < /lab/ran
}
bare_script() { # those of its commands that change something
    xenbond plan "${SPEC[@]}" | awk -v ready=$ready '
        BEGIN {print "set -e"}
        /^Files:/ {exit}
        /^  *[0-9]+\. create / {print "cp -p " ready $3 " " $3}
        /daemon-reload$/ {print "cp -p " ready "/etc/systemd/system/xenbond-bond51.service /etc/systemd/system/"}
        $1 == "$" {sub(/^ *\$ /, ""); print}'
}
stands() { # by nothing but what bash itself can read
    local text=
    read -r text < $NET/bond51/operstate && [[ $text == up ]] &&
        read -r -d '' text < /proc/net/bonding/bond51
    [[ $text == *"active-backup"*"MII Status: up"*"eth2"*"MII Status: up"*"eth3"*"MII Status: up"* ]] &&
        read -r -d '' text < /proc/net/fib_trie
    [[ $text == *"172.16.51.11"* ]]
} 2> /dev/null
observe() { # notes the first instant at which the bond is as asked
    until stands; do read -r -t 0.002 < /run/never; done
    echo "${EPOCHREALTIME/./}" > /run/stood
}

boot_1() {
    local n file line stood came said
    mkfifo /run/never; exec 9<> /run/never
    # What ifup still does when all stands is its own time.
    mv /usr/sbin/ifup /usr/sbin/ifup-real
    printf '#!/bin/bash\n(exec -a ifup /bin/bash /usr/sbin/ifup-real "$@"); status=$?\necho "${EPOCHREALTIME/./}" > /run/came\nexit $status\n' > /usr/sbin/ifup
    sed -i 's/^me=.*/me=ifup/' /usr/sbin/ifup-real
    chmod 755 /usr/sbin/ifup
    # The first loads the driver, and leaves the files and the way back.
    timed first xenbond apply "${SPEC[@]}" --yes
    for file in /etc/modprobe.d/bond51.conf /etc/systemd/system/xenbond-bond51.service /etc/sysconfig/network-scripts/ifcfg-{eth2,eth3,bond51}; do
        mkdir -p "$ready${file%/*}"; must cp -p "$file" "$ready$file"
    done
    must cp -rL /var/lib/xenbond/current /lab/undo
    back
    snapshot before
    was_eth2=$(uuid_of eth2) was_eth3=$(uuid_of eth3)
    record on
    timed recorded xenbond apply "${SPEC[@]}" --yes
    record off
    back
    for n in {1..10}; do
        bare_script > /lab/bare
        timed bare dash /lab/bare
        bond_stands
        timed undo sh /lab/undo/undo.sh
        same_script > /lab/same
        timed same dash /lab/same
        bond_stands
        timed undo sh /lab/undo/undo.sh
        timed plan xenbond plan "${SPEC[@]}"
        timed apply xenbond apply "${SPEC[@]}" --yes
        back
    done
    same_as before
    for n in {1..5}; do
        rm -f /run/{stood,came,said}
        observe < /dev/null &
        xenbond apply "${SPEC[@]}" --yes 2> /lab/out < /dev/null | while read -r line; do
            [[ $line == Done:* ]] && echo "${EPOCHREALTIME/./}" > /run/said
        done
        wait $!
        read -r stood < /run/stood
        read -r came < /run/came
        read -r said < /run/said || bad "no verdict: $(tail -n 3 /lab/out | xargs -d '\n')"
        echo "verdict $((said - (came > stood ? came : stood)))" >> /lab/times
        back
    done
    cat /lab/times
}
