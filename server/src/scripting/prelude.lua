-- Closes the sandbox: what scripts see are empty tables that show the real ones and refuse every change. Gives what scripts
-- find as their globals, and the function that runs one.
--
-- With the table that libraries find while they are loaded, the sandbox is one of functions: these get their keys and
-- arguments as parameters, and the last thing given loads a library.
local globals, server, handle, catch, names, loading = ...

local byte, error, getmetatable, next, pairs = string.byte, error, getmetatable, next, pairs
local rawget, rawset, select, setmetatable, tostring, type = rawget, rawset, select, setmetatable, tostring, type

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
local function refuse_argument(name, wanted, given, ...)
    local kind = given == 0 and 'no value' or type((...))
    error("bad argument #1 to '" .. name .. "' (" .. wanted .. ' expected, got ' .. kind .. ')', 4)
end
local function check(name, given, ...)
    if type((...)) ~= 'table' then refuse_argument(name, 'table', given, ...) end
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

-- What is compiled already is no text: Lua would trust it.
local function reject(text, name)
    if type(text) == 'string' and byte(text) == 27 then
        return name .. ":1: unexpected symbol near 'char(27)'"
    end
end
local load, loadstring = globals.load, globals.loadstring
local function check_text(given, ...)
    local kind = type((...))
    if kind ~= 'string' and kind ~= 'number' then refuse_argument('loadstring', 'string', given, ...) end
end
local function check_reader(given, ...)
    if type((...)) ~= 'function' then refuse_argument('load', 'function', given, ...) end
end
function globals.loadstring(...)
    check_text(select('#', ...), ...)
    local text, name = ...
    local message = reject(text, name and tostring(name):gsub('^[=@]', '') or '[string "\27LuaQ"]')
    if message then return nil, message end
    return loadstring(...)
end
function globals.load(...)
    check_reader(select('#', ...), ...)
    local read, name = ...
    local is_first, rejected = true, nil
    local chunk, message = load(function()
        local piece = read()
        if is_first then is_first, rejected = false, reject(piece, '(load)') end
        return not rejected and piece or nil
    end, name)
    if rejected then return nil, rejected end
    return chunk, message
end

for name, value in pairs(globals) do
    if type(value) == 'table' and value ~= globals then globals[name] = protect(value) end
end
local face = protect(server)
for _, name in pairs(names) do
    globals[name] = face
    if not loading then globals['__' .. name .. '__err__handler'] = handle end
end
getmetatable('').__metatable = protect({ __index = globals.string })

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
local function run_library(chunk)
    local bare = setmetatable({}, strict)
    local face = protect(setmetatable(loading, strict))
    for _, name in pairs(names) do bare[name] = face end
    metatable.__index, shown[environment] = bare, bare
    local succeeded, raised = catch(chunk, handle)
    metatable.__index, shown[environment] = globals, globals
    return succeeded, raised
end

return environment, loading and call or run, run_library
