local body = function() EXPRESSION end
-- The frame around each line of lua-libraries.txt: what it answers or raises, as text. A setting that it changes is put back.
local function show(value)
    local kind = type(value)
    if kind == 'number' then return string.format('%.17g', value) end
    if kind == 'string' then
        return '"' .. value:gsub('[%c\127-\255"\\]', function(byte) return string.format('\\%03d', byte:byte()) end) .. '"'
    end
    if kind == 'userdata' then return value == cjson.null and 'null' or 'userdata' end
    if kind ~= 'table' then return kind == 'boolean' and tostring(value) or kind end
    local members = {}
    for key, member in pairs(value) do members[#members + 1] = '[' .. show(key) .. ']=' .. show(member) end
    table.sort(members)
    return '{' .. table.concat(members, ' ') .. '}'
end
local function gathered(...) return {count = select('#', ...), ...} end
local succeeded, values = pcall(function() return gathered(body()) end)
if not succeeded then values = {count = 1, values} end
local shown = {}
for index = 1, values.count do shown[index] = show(values[index]) end
local text = (succeeded and 'ok' or 'error') .. ' ' .. table.concat(shown, ' ')
cjson.encode_sparse_array(false, 2, 10)
cjson.encode_max_depth(1000)
cjson.decode_max_depth(1000)
cjson.encode_number_precision(14)
cjson.encode_keep_buffer(true)
cjson.encode_invalid_numbers(false)
cjson.decode_invalid_numbers(true)
return text
