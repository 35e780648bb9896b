#!/usr/bin/env bash
# What COMPUTE answers about orders and a leaderboard, with redis-cli: how many, how much, which ones.
#
#     cargo run --release               # in one terminal
#     examples/compute/compute.sh       # in another; a port may follow
set -euo pipefail

cli() { redis-cli -3 -p "${port:-6379}" "$@"; }
port=${1:-6379}

cli DEL example:order:1 example:order:2 example:order:3 example:board example:ranking example:job >/dev/null
cli HSET example:order:1 region eu total 12.50 >/dev/null
cli HSET example:order:2 region us total 7 >/dev/null
cli HSET example:order:3 region eu total 30 >/dev/null
cli ZADD example:board 20 ann 35.5 bob 7 cid >/dev/null

echo '1. How many orders are above 10?'
cli COMPUTE.COUNT 'example:order:*' WHERE 'h.total > 10'
echo '2. What has each region earned?'
cli COMPUTE.AGGREGATE 'example:order:*' \
    GROUPBY 1 h.region AS region REDUCE SUM 1 h.total AS revenue SORTBY revenue DESC
echo '3. Which two orders are the largest?'
cli COMPUTE.SELECT 'example:order:*' RETURN 2 key h.total SORTBY h.total DESC LIMIT 0 2
echo '4. What is the sum of all scores?'
cli COMPUTE.KAGGREGATE example:board REDUCE SUM 1 s AS total SCALAR
echo '5. How would the second question be computed?'
cli COMPUTE.EXPLAIN AGGREGATE 'example:order:*' GROUPBY 1 h.region AS region REDUCE SUM 1 h.total AS revenue
echo '6. The second answer, stored as a sorted set:'
cli COMPUTE.AGGREGATE 'example:order:*' \
    GROUPBY 1 h.region AS region REDUCE SUM 1 h.total AS revenue INTO example:ranking ZSET >/dev/null
cli ZREVRANGE example:ranking 0 -1 WITHSCORES
echo '7. The first question, as a job that nobody waits for:'
cli COMPUTE.COUNT 'example:order:*' WHERE 'h.total > 10' ASYNC ID example:job
cli JOB.WAIT example:job WAIT 10000 >/dev/null
cli JOB.RESULT example:job
