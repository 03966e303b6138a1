"""Personal data: numbers that belong to one person, and ways to reach one."""
