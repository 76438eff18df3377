#: upgrade-el7 el7 bridge 35 | an upgrade from an ISO: /etc new, no record, XAPI's database kept; made again from its spec, removed
#: upgrade-el5 el5 bridge ~35 | the same

SPEC_FILE=/lab/bond51.ini # of another machine

boot_1() {
    cp -a /etc /lab/installed
    snapshot before
    xen 0 apply "${SPEC[@]}" --yes
    bond_stands
    xen 0 spec bond51
    echo "$out" > $SPEC_FILE
    # What the installer does to a host.
    find /etc -mindepth 1 -delete
    cp -a /lab/installed/. /etc/
    rm -rf $STATE
}
boot_2() {
    gone $NET/bond51
    xen 0 status
    has "status" "$out" "XAPI leaves eth2, eth3 alone"
    xen 1 remove bond51 --yes
    has "a removal without a record" "$err" "--spec FILE"
    xen 0 apply --spec $SPEC_FILE --yes
    bond_stands
    flows
    lossless xen 0 apply --spec $SPEC_FILE --yes
    has "applied once more" "$out$err" "Nothing to do"
}
boot_3() {
    until_true 5 reaches
    bond_stands
    flows
    xen 0 verify
    xen 0 remove bond51 --yes
    gone $NET/bond51
    for nic in eth2 eth3; do
        is "master of $nic" "$(master $nic)" "xenbr${nic#eth}"
        is "MAC of $nic" "$(mac $nic)" "00:1b:21:0a:01:0${nic#eth}"
    done
    is "files of /etc that differ" "$(diff -rq --no-dereference /lab/installed /etc 2>&1)" ""
}
