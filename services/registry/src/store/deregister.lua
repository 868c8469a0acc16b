-- ARGV: service, id. Answers 0 if the instance was not there.
local service, id = ARGV[5], ARGV[6]
if not remove(service .. '/' .. id) then return 0 end
changed(service)
return 1
