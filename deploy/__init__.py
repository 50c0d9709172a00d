"""What stands beside a program: a collector, alert rules, a dashboard; and who writes them."""
