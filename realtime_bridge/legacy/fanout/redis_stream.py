"""Stream of the fan-out in Redis. Where it ends, and how it is begun anew."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

STREAM = "crossfade.legacy"
NOWHERE = "0-0"
UNUSABLE = ("exhausted", "WRONGTYPE")  # a stream whose last id is the greatest, and a key that is no stream
BEGIN_ANEW = """
local function add() return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 2)) end
local id = add()
if type(id) ~= 'table' then return id end
redis.call('DEL', KEYS[1])
return add()
"""
"""Atomic: of two bridges that find the stream unusable, the second adds to what the first began."""


async def end_of_stream(client: Redis) -> str:
    try:
        return str((await client.xinfo_stream(STREAM))["last-generated-id"].decode())
    except RedisError as error:
        if not any(word in str(error) for word in ("no such key", *UNUSABLE)):
            raise
        return NOWHERE


def position(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
