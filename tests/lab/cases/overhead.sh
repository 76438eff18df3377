#: overhead el7 bridge - | for tests/bench/run --lab: apply against the bare commands, 10 times each

# Runs only when it is named: it measures, into /lab/times, and fails only where something else does.
ready=/lab/ready files=()
timed() { # WHAT COMMAND...
    local start=$EPOCHREALTIME what=$1; shift
    "$@" > /lab/out 2>&1 < /dev/null || bad "$*: status $?: $(tail -n 3 /lab/out | xargs -d '\n')"
    echo "$what $((${EPOCHREALTIME/./} - ${start/./}))" >> /lab/times
}
back() { timed rollback xenbond rollback --yes; }
bare_script() { # what apply would run now, with the files at hand
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
    local n file stood came
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
    for n in {1..10}; do
        bare_script > /lab/bare
        timed bare dash /lab/bare
        bond_stands
        timed undo sh /lab/undo/undo.sh
        timed plan xenbond plan "${SPEC[@]}"
        timed apply xenbond apply "${SPEC[@]}" --yes
        back
    done
    same_as before
    for n in {1..5}; do
        rm -f /run/stood
        observe < /dev/null & 
        timed watched xenbond apply "${SPEC[@]}" --yes
        came=${EPOCHREALTIME/./}
        wait $!
        read -r stood < /run/stood
        read -r n < /run/came
        echo "stood $((came - stood))"$'\n'"verdict $((came - (n > stood ? n : stood)))" >> /lab/times
        back
    done
    cat /lab/times
}
