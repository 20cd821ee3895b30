"""What ``make demo-http`` shows: requests that become events, and one id followed through both."""
