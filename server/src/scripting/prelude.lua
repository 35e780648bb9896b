-- Closes the sandbox: what scripts see are empty tables that show the real ones and refuse every change. Gives what scripts
-- find as their globals, and the function that runs one.
--
-- With the table that libraries find while they are loaded, the sandbox is one of functions: these get their keys and
-- arguments as parameters, and the last thing given loads a library.
local globals, server, handle, catch, names, loading = ...

local error, getmetatable, next, pairs, rawget, rawset, select, setmetatable, tostring, type =
    error, getmetatable, next, pairs, rawget, rawset, select, setmetatable, tostring, type

local READONLY = 'Attempt to modify a readonly table'
-- From what a script sees of a table to the table.
local shown = setmetatable({}, { __mode = 'k' })

local function refuse() error(READONLY, 2) end

-- What a script sees of a table. Its metatable, if it asks for it, is just as closed.
local function protect(real)
    local face, seen = {}, {}
    shown[face], shown[seen] = real, {}
    setmetatable(seen, { __newindex = refuse, __metatable = seen })
    local metatable = { __index = real, __newindex = refuse, __metatable = seen }
    return setmetatable(face, metatable), metatable
end

-- The functions of Lua name the place of their caller, if what they are given is no table; from here they would name this one.
local function check(name, given, ...)
    if type((...)) == 'table' then return end
    local kind = given == 0 and 'no value' or type((...))
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. kind .. ')', 3)
end

function globals.rawget(...)
    check('rawget', select('#', ...), ...)
    local table, key = ...
    return rawget(shown[table] or table, key)
end
function globals.next(...)
    check('next', select('#', ...), ...)
    local table, key = ...
    return next(shown[table] or table, key)
end
function globals.pairs(...)
    check('pairs', select('#', ...), ...)
    local table = ...
    if shown[table] then return globals.next, table end
    return pairs(table)
end
function globals.rawset(...)
    check('rawset', select('#', ...), ...)
    local table, key, value = ...
    if shown[table] then error(READONLY, 0) end
    return rawset(table, key, value)
end
function globals.setmetatable(...)
    check('setmetatable', select('#', ...), ...)
    local table, metatable = ...
    if shown[table] then error(READONLY, 0) end
    return setmetatable(table, metatable)
end

for name, value in pairs(globals) do
    if type(value) == 'table' and value ~= globals then globals[name] = protect(value) end
end
local face = protect(server)
for _, name in pairs(names) do
    globals[name] = face
    if not loading then globals['__' .. name .. '__err__handler'] = handle end
end
getmetatable('').__metatable = protect(getmetatable(''))

local strict = {
    __index = function(_, name)
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
}
setmetatable(globals, strict)
local environment, metatable = protect(globals)
globals._G = environment

-- Runs a script: whether it has ended well, and what it has returned or raised.
local function run(chunk, keys, arguments)
    globals.KEYS, globals.ARGV = keys, arguments
    return catch(chunk, handle)
end

-- The same for a function.
local function call(callback, keys, arguments)
    return catch(function() return callback(keys, arguments) end, handle)
end

-- Runs a library, which finds nothing but what it is given.
local function load(chunk)
    local bare = setmetatable({}, strict)
    local face = protect(setmetatable(loading, strict))
    for _, name in pairs(names) do bare[name] = face end
    metatable.__index, shown[environment] = bare, bare
    local succeeded, raised = catch(chunk, handle)
    metatable.__index, shown[environment] = globals, globals
    return succeeded, raised
end

return environment, loading and call or run, load
