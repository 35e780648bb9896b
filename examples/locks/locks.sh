#!/bin/sh
# Locks, semaphores and latches with nothing but redis-cli.
#
#     cargo run --release                       # in one terminal
#     sh examples/locks/locks.sh                # in another; a port may follow
set -eu

port=${1:-6379}
cli() { redis-cli -p "$port" "$@"; }

echo "1. A lock: one owner at a time. The reply has a fence, a number that only ever grows."
cli DEL report slots ready report:text > /dev/null
fence=$(cli LOCK.ACQUIRE report alice LEASE 30000 | sed -n 2p)
echo "   alice has the lock, her fence is $fence"
echo "   bob asks and does not wait: '$(cli LOCK.ACQUIRE report bob)' (nothing: the lock is taken)"

echo "2. Bob waits in turn, in another process; he gets the lock the moment alice gives it back."
( cli LOCK.ACQUIRE report bob WAIT 10000 > /tmp/shardis-example-bob.$$ ) &
bob=$!
until cli LOCK.INFO report | grep -qx bob; do :; done
cli LOCK.RELEASE report alice > /dev/null
wait "$bob"
echo "   bob's fence is $(sed -n 2p /tmp/shardis-example-bob.$$)"
rm -f /tmp/shardis-example-bob.$$

echo "3. Alice does not know yet that she has lost the lock. The fence protects the data:"
echo "   $(cli LOCK.GUARD report "$fence" SET report:text "from alice" 2>&1)"

echo "4. A semaphore: at most three at a time."
cli SEM.CREATE slots 3 > /dev/null
permit=$(cli SEM.ACQUIRE slots alice N 2 | sed -n 2p)
echo "   alice has two permits, under the number $permit"
echo "   bob wants two as well: '$(cli SEM.ACQUIRE slots bob N 2)' (nothing: only one is left)"
echo "   alice gives hers back, so that there are $(cli SEM.RELEASE slots "$permit")"

echo "5. A latch: all who wait go on when something has happened often enough."
( cli LATCH.AWAIT ready WAIT 10000 > /dev/null; echo "   the waiting process goes on" ) &
waiting=$!
cli LATCH.SET ready 2 > /dev/null
cli LATCH.DOWN ready > /dev/null
echo "   one step is left: $(cli LATCH.INFO ready | sed -n 2p)"
cli LATCH.DOWN ready > /dev/null
wait "$waiting"

cli DEL report slots ready > /dev/null
