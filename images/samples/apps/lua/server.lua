-- Answers with what was fetched when the image was built. The interpreter and both libraries are Debian packages, which
-- an image extension installed.
local cjson = require("cjson")
local socket = require("socket")

local fetched = os.getenv("FETCHED_FILE")
local body = cjson.encode({
  greeting = "Hello " .. (os.getenv("GREETING") or "from " .. _VERSION),
  fetched = fetched and io.open(fetched):read("a") or cjson.null,
})

local server = assert(socket.bind("*", tonumber(os.getenv("PORT") or "8080")))
print("listening on port " .. select(2, server:getsockname()))
io.flush()
while true do
  local client = server:accept()
  repeat local line = client:receive() until not line or line == ""
  client:send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body)
  client:close()
end
