-- Written by eyas from the fleet's definitions; changes here are put back at the next apply.
--
-- The source cache, where nginx's own words do not do: who may be asked, how often, and when again. Everything here is
-- of the inner server, which fetches; the outer one keeps what it brings, and asks it for nothing else.
--
--   begin --> @six --> done                      429, 403 --> again --> once more, where there is another address
--               `----> @four --> done                            `----> refused, and a pause
--               |         `----> @six, where our port was somebody's
--               `----> follow --> @six
--
-- "Once more" is an answer, 504, upon which the outer server asks again: nginx redirects within itself ten times only.

local M = {}
local memory = ngx.shared.source_memory
local settings

local REPORT = "unix:/run/eyas-egress/report"
local POOLS = "/etc/eyas/egress-pools"
local MOST_REDIRECTS = 4
local HAD = 600 -- seconds after an answer by IPv6, in which a name without an address of it is a look-up that failed
local FIRST_PORT, PORTS = 10000, 20000 -- local ports of connections by IPv6: below those that the kernel gives

function M.set(given)
    settings = given
    math.randomseed(ngx.time())
end

-- ------------------------------------------------------------ answers of our own

-- A line for the journal; nginx writes it when the request is over.
local function tell(text)
    ngx.var.sc_said = text
end

local function refuse(status, wait, text)
    ngx.status = status
    if wait and wait > 0 then
        ngx.header["Retry-After"] = math.ceil(wait)
    end
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Content-Type"] = "text/plain"
    ngx.say("source cache: " .. text)
    return ngx.exit(ngx.HTTP_OK)
end

-- ------------------------------------------------------------ where to, and whether

-- https://host/path out of /https/host/path; nothing for what is none.
local function parse(uri)
    local scheme, host, rest = uri:match("^/(https?)/([^/?#]+)(.*)$")
    if not scheme then
        return
    end
    if rest:sub(1, 1) ~= "/" then
        rest = "/" .. rest
    end
    return scheme, host:lower(), rest
end

local function bare(host)
    return (host:gsub(":%d+$", ""))
end

-- Names with a dot alone: what has only an address, or a name of this fleet, is none of the world's sources.
local function known(host)
    local name = bare(host)
    if not name:match("^[%w%-]+%.[%w%.%-]+$") or name:match("^[%d%.]+$") or name:match("%.$") then
        return false
    end
    if #settings.destinations == 0 then
        return true
    end
    for _, one in ipairs(settings.destinations) do
        if one == name or (one:sub(1, 2) == "*." and name:sub(-#one + 1) == one:sub(2)) then
            return true
        end
    end
    return false
end

-- One more request to a destination, unless it has to wait: then the seconds, and why.
local function admit(host)
    local name = bare(host)
    local pause = memory:ttl("pause:" .. name)
    if pause and pause > 0 then
        return pause, name .. " has asked for a pause"
    end
    if settings.ceiling > 0 then
        local count = memory:incr("asked:" .. name, 1, 0, 3600)
        if count and count > settings.ceiling then
            local left = memory:ttl("asked:" .. name) or 0
            local text = string.format("%s: %d requests within the hour, which is the ceiling", name, settings.ceiling)
            if memory:add("told:" .. name, true, 60) then
                tell(string.format("%s: nothing more is asked there for %d s", text, math.ceil(left)))
            end
            return math.max(1, left), text
        end
    end
end

local function go(scheme, host, rest)
    local wait, why = admit(host)
    if wait then
        return refuse(429, wait, why)
    end
    local var = ngx.var
    var.sc_scheme, var.sc_host, var.sc_rest = scheme, host, rest
    var.sc_target = scheme .. "://" .. host .. rest
    var.sc_port = FIRST_PORT + memory:incr("port", 1, math.random(PORTS)) % PORTS
    return ngx.exec("@six")
end

function M.begin()
    local scheme, host, rest = parse(ngx.var.request_uri)
    if not scheme then
        return refuse(404, nil, "ask for /https/NAME/PATH or /http/NAME/PATH")
    end
    if not known(host) then
        return refuse(403, nil, host .. " is no destination of this cache")
    end
    return go(scheme, host, rest)
end

-- ------------------------------------------------------------ refusals

-- Retry-After in seconds (RFC 9110).
local function after(text)
    if not text or text == "" then
        return nil
    end
    local at = not tonumber(text) and ngx.parse_http_time(text)
    return at and math.max(0, at - ngx.time()) or tonumber(text)
end

local function last(list)
    return list and list:match("([^%s,]+)%s*$") or ""
end

-- The first address of this container that is not of a link or of itself.
local function own()
    local file = io.open("/proc/net/if_inet6")
    for line in file and file:lines() or function() end do
        local digits, scope = line:match("^(%x+) %x+ %x+ (%x+)")
        if scope == "00" then
            file:close()
            return digits:gsub("(%x%x%x%x)", "%1:", 7)
        end
    end
end

-- Whether connections to there leave by a pool of addresses.
local function pooled(name)
    local file = io.open(POOLS)
    for line in file and file:lines() or function() end do
        local how, to = line:match("^(%S+) (%S+)$")
        if to == "*" or to == name then
            file:close()
            return how == "pool"
        end
    end
    return file and file:close() and false
end

-- Tell the host that an address of ours is refused there; false where connections leave by the host's own.
local function report(host, status, wait)
    if ngx.var.sc_family ~= "6" or not pooled(bare(host)) then
        return false
    end
    local socket = ngx.socket.udp()
    if not socket:setpeername(REPORT) then
        return false
    end
    local words = { string.format('"destination": "%s", "status": %d', bare(host), status) }
    if wait then
        table.insert(words, string.format('"retry_after": %d', math.ceil(wait)))
    end
    local address = ngx.var.sc_port ~= "0" and own()
    if address then
        table.insert(words, string.format('"source": "[%s]:%d"', address, ngx.var.sc_port))
    end
    local remote = last(ngx.var.upstream_addr)
    if remote:match("^[%x%.:%[%]]+$") then
        table.insert(words, string.format('"remote": "%s"', remote))
    end
    local sent = socket:send("{" .. table.concat(words, ", ") .. "}")
    socket:close()
    return sent and true or false
end

-- Ask the outer server to ask once more, unless it has often enough: then nothing.
local function once_more()
    local tries = memory:incr("tries:" .. (ngx.var.http_x_request_id or ""), 1, 0, 120) or settings.tries
    if tries < settings.tries then
        ngx.sleep(0.25 * tries) -- the host draws another one
        refuse(504, nil, "once more")
        return true
    end
end

-- After a refusal: another address, if there are some; else the destination gets the pause that it asks for.
function M.again()
    local var = ngx.var
    local host, name = var.sc_host, bare(var.sc_host)
    local status = tonumber(last(var.upstream_status)) or 429
    local wait = after(var.upstream_http_retry_after)
    local told = status ~= 503 and report(host, status, wait)
    if told and once_more() then
        return
    end
    if status == 429 or wait then
        local times = memory:incr("refused:" .. name, 1, 0, 7200) or 1
        local usual = math.min(3600, settings.pause * 2 ^ math.min(times - 1, 10))
        -- What was asked for concerned one address of a pool, which rests now.
        wait = told and math.min(wait or usual, usual) or wait or usual
        memory:set("pause:" .. name, true, math.max(1, wait))
        tell(string.format("%s answers %d: nothing more is asked there for %d s", name, status, math.ceil(wait)))
    end
    return refuse(status, wait, string.format("%s answers %d", name, status))
end

-- Before IPv4 is tried. Where a pool is meant, it is no way around: a reset by IPv6 may be the host's own, which asks
-- that destination less (`eyas.kind.egress`), and the host's one address would be next. Nor is a look-up that fails.
function M.four()
    local var = ngx.var
    local status = last(var.upstream_status) -- nothing at all where the name has no address
    if last(var.upstream_header_time):match("^%d") then -- it has answered
        return refuse(tonumber(status) or 502, nil, var.sc_host .. " answers " .. status)
    end
    if status == "-" then -- no connection was begun
        if var.sc_port ~= "0" then -- the port that we chose is somebody's, and so may be those after it: the kernel's
            var.sc_port = 0
            return ngx.exec("@six")
        end
        return once_more() or refuse(503, 1, "no connection could be begun")
    end
    local name, asked = bare(var.sc_host), last(var.upstream_addr):sub(1, 1) == "["
    if not pooled(name) or not (asked or memory:get("six:" .. name)) then
        return
    end
    return once_more() or refuse(503, 10, var.sc_host .. " cannot be reached by IPv6, which it is to be asked by")
end

function M.away()
    return refuse(502, nil, string.format("%s is away (%s)", ngx.var.sc_host, ngx.var.upstream_status or "no answer"))
end

-- ------------------------------------------------------------ redirects

local function is_git(rest)
    local path = rest:match("^[^?]*")
    return path:match("/info/refs$") or path:match("/git%-upload%-pack$") or path:match("/HEAD$")
        or path:match("/objects/info/[%w%-]+$")
end

-- Where a redirect leads: scheme, host, rest.
local function led(location)
    local var = ngx.var
    if location:match("^https?://") then
        local scheme, place = location:match("^(https?)://(.*)$")
        return parse("/" .. scheme .. "/" .. place:gsub("#.*$", ""))
    elseif location:match("^//") then
        return parse("/" .. var.sc_scheme .. location:sub(2))
    elseif location:match("^/") then
        return var.sc_scheme, var.sc_host, location
    end
    return var.sc_scheme, var.sc_host, var.sc_rest:match("^([^?]*/)") .. location
end

-- Files are fetched from where a redirect leads, and kept under the name that was asked for. git(1) has to know.
function M.follow()
    local var = ngx.var
    local scheme, host, rest = led(var.upstream_http_location or "")
    if not scheme or not known(host) then
        return refuse(502, nil, var.sc_host .. " leads to " .. (host or "nowhere") .. ", which is no destination")
    end
    local hops = tonumber(var.sc_hops) + 1
    if is_git(var.sc_rest) or ngx.req.get_method() == "POST" then
        ngx.status = tonumber(last(var.upstream_status)) or 302
        ngx.header["Location"] = string.format("/%s/%s%s", scheme, host, rest)
        ngx.header["Cache-Control"] = "max-age=" .. settings.git
        ngx.say("moved")
        return ngx.exit(ngx.HTTP_OK)
    end
    if hops > MOST_REDIRECTS then
        return refuse(502, nil, var.sc_host .. " redirects again and again")
    end
    var.sc_hops = hops
    return go(scheme, host, rest)
end

-- ------------------------------------------------------------ how long it is kept

-- No cookie and no password of a client leaves us, so that what comes back is for everybody.
function M.keep()
    local header, status = ngx.header, ngx.status
    local age, stale = 0, 0
    if ngx.var.sc_family == "6" then
        memory:set("six:" .. bare(ngx.var.sc_host), true, HAD)
    end
    if status == 200 or status == 206 or status == 304 then
        memory:delete("refused:" .. bare(ngx.var.sc_host))
        if is_git(ngx.var.sc_rest) then
            age = settings.git
        else
            local said = header["Cache-Control"]
            said = type(said) == "table" and table.concat(said, ",") or said or ""
            age = math.max(settings.fresh, tonumber(said:match("max%-age=(%d+)")) or 0)
            stale = settings.fresh
        end
    elseif status == 404 or status == 410 then
        age = settings.git
    end
    for _, name in ipairs({ "Expires", "Pragma", "Set-Cookie", "Vary", "X-Accel-Expires", "X-Accel-Redirect" }) do
        header[name] = nil
    end
    header["Cache-Control"] = age == 0 and "no-store"
        or string.format("max-age=%d, stale-while-revalidate=%d", age, stale)
end

-- ------------------------------------------------------------ the outer server

-- What a git client asks for, where it asks which branches there are; nothing where it wants their contents.
function M.listing()
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    if body and #body < 65536 and body:find("command=ls-refs", 1, true) then
        ngx.var.sc_body = ngx.md5(body)
    end
end

return M
