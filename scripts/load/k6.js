// A constant rate for k6: see scripts/load/attack.py, which sets the variables.
import { check } from "k6";
import http from "k6/http";

const row = open(__ENV.TUNEGATE_LOAD_ROW);
const url = `${__ENV.TUNEGATE_LOAD_URL}/predict`;

export const options = {
  scenarios: {
    published: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.TUNEGATE_LOAD_RATE),
      timeUnit: "1s",
      duration: `${__ENV.TUNEGATE_LOAD_SECONDS}s`,
      preAllocatedVUs: 50,
      maxVUs: 900,
    },
  },
};

export default function () {
  const answer = http.post(url, row, { headers: { "Content-Type": "application/json" } });
  check(answer, { "200": (each) => each.status === 200 });
}
