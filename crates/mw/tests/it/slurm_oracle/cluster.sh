#!/bin/sh
# A Slurm of one machine for as long as a command runs: cluster.sh COMMAND...
#
# It has a network of its own, so that nothing outside reaches it, and processes of its
# own, so that they end with it. Only root may have that.
set -eu

if [ "${MW_CLUSTER:-}" != inside ]; then
    export MW_CLUSTER=inside
    exec unshare --net --pid --fork --mount-proc --kill-child sh "$0" "$@"
fi

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
# An address that is not 127.*, without which names are not looked up.
ip link set lo up
ip address add 192.0.2.1/32 dev lo

head -c 128 /dev/urandom > "$run/key"
chmod 600 "$run/key"
munged --force --key-file="$run/key" --socket="$run/munge" --pid-file="$run/munged.pid" \
    --log-file="$run/munged.log" --seed-file="$run/seed"

mkdir "$run/spool" "$run/state"
cat > "$run/slurm.conf" <<END
ClusterName=alone
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$run/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
SlurmdSpoolDir=$run/spool
StateSaveLocation=$run/state
SlurmctldPidFile=$run/slurmctld.pid
SlurmdPidFile=$run/slurmd.pid
SlurmctldLogFile=$run/slurmctld.log
SlurmdLogFile=$run/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=all Nodes=localhost Default=YES
END
export SLURM_CONF="$run/slurm.conf"
slurmctld
slurmd -N localhost

status=0
"$@" || status=$?
if [ "$status" != 0 ]; then
    tail -n 20 "$run"/*.log >&2
fi
exit "$status"
