-- Puts what is known of a product into the cache, unless something newer is known there.
--
-- KEYS: `product:{id}`, which holds {version, product} or, for a deleted one, {version, deleted}. With a version alone it says only
-- that nothing older may be put there.
-- ARGV: the version; what is to be put, as JSON; `fill` if it was just read from products, `event` if it was heard of; for how
-- many seconds it lives, and for how many a version alone does. Returns 1 if it was put there.

local version, source = tonumber(ARGV[1]), ARGV[3]
local ok, known = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '')
if not ok or type(known) ~= 'table' or type(known.version) ~= 'number' then
  known = nil
end

if known and (known.deleted or version < known.version) then
  return 0
end

-- An event can be long out of date, and nobody could tell where nothing is known. What it proves is that whoever reads something
-- older at this moment is too late. A deletion is the last that there is to know.
local deletes = cjson.decode(ARGV[2]).deleted
if source == 'event' and not deletes and not (known and known.product) then
  redis.call('SET', KEYS[1], cjson.encode({ version = version }), 'EX', ARGV[5])
  return 0
end

redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
return 1
