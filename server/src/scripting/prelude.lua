-- Closes the sandbox: what scripts see are empty tables that show the real ones and refuse every change. Gives what scripts
-- find as their globals, and the function that runs one.
local globals, server, handle, catch, names = ...

local error, getmetatable, next, pairs, rawget, rawset, setmetatable, tostring, type =
    error, getmetatable, next, pairs, rawget, rawset, setmetatable, tostring, type

local READONLY = 'Attempt to modify a readonly table'
-- From what a script sees of a table to the table.
local shown = setmetatable({}, { __mode = 'k' })

local function refuse() error(READONLY, 2) end

-- What a script sees of a table. Its metatable, if it asks for it, is just as closed.
local function protect(real)
    local face, seen = {}, {}
    shown[face], shown[seen] = real, {}
    setmetatable(seen, { __newindex = refuse, __metatable = seen })
    return setmetatable(face, { __index = real, __newindex = refuse, __metatable = seen })
end

function globals.rawget(table, key) return rawget(shown[table] or table, key) end
function globals.next(table, key) return next(shown[table] or table, key) end
function globals.pairs(table)
    if shown[table] then return globals.next, table end
    return pairs(table)
end
function globals.rawset(table, key, value)
    if shown[table] then error(READONLY, 0) end
    return rawset(table, key, value)
end
function globals.setmetatable(table, metatable)
    if shown[table] then error(READONLY, 0) end
    return setmetatable(table, metatable)
end

for name, value in pairs(globals) do
    if type(value) == 'table' and value ~= globals then globals[name] = protect(value) end
end
local face = protect(server)
for _, name in pairs(names) do
    globals[name] = face
    globals['__' .. name .. '__err__handler'] = handle
end
getmetatable('').__metatable = protect(getmetatable(''))

setmetatable(globals, {
    __index = function(_, name)
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
})
local environment = protect(globals)
globals._G = environment

-- Runs a script: whether it has ended well, and what it has returned or raised.
local function run(chunk, keys, arguments)
    globals.KEYS, globals.ARGV = keys, arguments
    return catch(chunk, handle)
end

return environment, run
