-- Ask for the bodies of a file in turn; at the end print one line of JSON. wrk ... -s rotate.lua URL FILE
local requests, n = {}, 0

function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, line)
  end
end

function request()
  n = n % #requests + 1
  return requests[n]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'result {"requests": %d, "duration": %d, "p50": %d, "p95": %d, "p99": %d, "status": %d, "socket": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
