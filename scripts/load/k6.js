// Users for k6, each asking again as soon as it has its answer: see scripts/load/attack.py, which
// sets the variables.
import { check } from "k6";
import http from "k6/http";

const row = open(__ENV.TUNEGATE_LOAD_ROW);
const url = `${__ENV.TUNEGATE_LOAD_URL}/predict`;
const users = Number(__ENV.TUNEGATE_LOAD_USERS);
const seconds = Number(__ENV.TUNEGATE_LOAD_SECONDS);
const arriving = Math.min(users / Number(__ENV.TUNEGATE_LOAD_SPAWN), seconds);

export const options = {
  scenarios: {
    published: {
      executor: "ramping-vus",
      startVUs: 0,
      stages: [
        { duration: `${Math.round(arriving * 1000)}ms`, target: users },
        { duration: `${Math.round((seconds - arriving) * 1000)}ms`, target: users },
      ],
      gracefulRampDown: "0s",
      gracefulStop: "30s",
    },
  },
};

export default function () {
  const answer = http.post(url, row, { headers: { "Content-Type": "application/json" } });
  check(answer, { "200": (each) => each.status === 200 });
}
