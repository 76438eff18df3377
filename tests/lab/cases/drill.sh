#: drill el7 bridge 90 | each of three slaves carries the traffic in turn: gaps measured, a dead port found, a signal survived
#: drill-rr el5 bridge ~60 balance-rr | the same by cutting links, in a mode without an active slave
#: drill-lacp el7 bridge ~90 802.3ad | the same with a partner that speaks LACP

hardware() {
    case $ARG in
    802.3ad) lag eth2 eth3 eth4 & ;;
    balance-rr) static_lag on; bridge -n net link set dev p4 isolated on ;;
    esac
}
SPEC=(--bond bond51 --nic eth2,eth3,eth4 --address 172.16.51.11/24)
state() { # what a drill must bring back
    echo "$(opt active_slave)|$(for n in eth2 eth3 eth4; do line $NET/$n/flags; done | xargs)|$(slaves)"
}
turns() { # JSON of a drill: name sent lost gap of each slave
    awk -F'[:,"]+' '/"gap_ms"/ {gap = $3} /"lost"/ {lost = $3} /"name"/ {name = $4}
        /"sent"/ {gsub(/ /, "", gap); gsub(/ /, "", lost); sent = $3; gsub(/ /, "", sent); print name, sent, lost, gap}' /lab/out
}
measured() { # MOST: every slave carried, no gap longer than that many ms
    local name sent lost gap count=0
    while read -r name sent lost gap; do
        note "$name: $sent sent, $lost lost, gap $gap ms"
        ((sent > 50)) || bad "$name sent $sent packets"
        ((lost * 10 >= gap)) || bad "$name lost $lost packets, and has a gap of $gap ms"
        ((gap <= $1)) || bad "$name has a gap of $gap ms"
        count=$((count + 1))
    done < <(turns)
    is "slaves that had a turn" $count 3
}
drill=(drill bond51 --target $STORAGE)
boot_1() {
    local before
    [[ -n $ARG ]] && drill+=(--cut-links)
    xen 0 apply "${SPEC[@]}" --mode "${ARG:-active-backup}" --yes
    if [[ $ARG == 802.3ad ]]; then partner_ready; else until_true 5 reaches; fi
    before=$(state)
    if [[ $ARG == balance-rr ]]; then
        xen 2 drill bond51 --target $STORAGE
        has "the error" "$err" "--cut-links"
    fi
    xen 0 --json "${drill[@]}"
    measured 4000
    is "the bond after the drill" "$(state)" "$before"
    xen 0 verify
    [[ -n $ARG ]] && return
    # A port that gives a link and passes nothing: only a drill finds that.
    ip -n net link set p3 nomaster
    xen 0 verify
    xen 5 "${drill[@]}"
    has "the drill" "$out" "eth3 FAILED: $STORAGE does not answer while eth3 carries the traffic"
    is "the bond after the drill" "$(state)" "$before"
    until_true 10 reaches || bad "the target is lost after the drill"
    port p3
    # A signal in the middle.
    /usr/bin/xenbond "${drill[@]}" --cut-links > /lab/out 2> /lab/err < /dev/null &
    until_true 20 eval '! is_up eth3 && ! is_up eth4' || bad "no link was cut"
    kill -TERM $!
    wait $!
    is "exit status of a drill that was stopped" $? 5
    has "the drill" "$(< /lab/out)" "interrupted (Ctrl-C or a signal)"
    until_true 5 eval '[[ $(state) == "$before" ]]'
    is "the bond after the drill" "$(state)" "$before"
    xen 0 verify
}
