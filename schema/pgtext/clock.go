package pgtext

// ParseTime reads a time of day, such as 16:13:40.436907, in microseconds.
// 24:00:00, the end of the day, is one.
func ParseTime(text []byte) (micros int64, err error) {
	r := reader{kind: "time", text: text}
	if micros, err = r.clock(); err != nil {
		return 0, err
	}
	return micros, r.end()
}

// ParseTimetz reads a time of day with its offset, such as 16:13:40-07 or
// 16:13:40+05:30: microseconds of the local day and the seconds that the local
// time is ahead of UTC, east positive.
func ParseTimetz(text []byte) (micros int64, offsetSeconds int32, err error) {
	r := reader{kind: "timetz", text: text}
	if micros, err = r.clock(); err != nil {
		return 0, 0, err
	}
	if offsetSeconds, err = r.offset(); err != nil {
		return 0, 0, err
	}
	return micros, offsetSeconds, r.end()
}

// clock reads hh:mm:ss and a fraction of up to six digits, at most 24:00:00.
func (r *reader) clock() (int64, error) {
	start := r.at
	hour, err := r.number(2, 2)
	if err != nil {
		return 0, err
	}
	rest, err := r.minutesAndSeconds()
	if err != nil {
		return 0, err
	}
	micros := hour*microsPerHour + rest
	if micros > microsPerDay {
		return 0, r.failAt(start, "the time is after 24:00:00")
	}
	return micros, nil
}

// minutesAndSeconds reads :mm:ss and a fraction, in microseconds.
func (r *reader) minutesAndSeconds() (int64, error) {
	minute, err := r.sixtieth()
	if err != nil {
		return 0, err
	}
	second, err := r.sixtieth()
	if err != nil {
		return 0, err
	}
	micros := minute*microsPerMinute + second*microsPerSecond
	if !r.skip('.') {
		return micros, nil
	}
	start := r.at
	fraction, err := r.number(1, 6)
	for i := r.at - start; i < 6; i++ {
		fraction *= 10
	}
	return micros + fraction, err
}

// sixtieth reads a colon and two digits, less than 60.
func (r *reader) sixtieth() (int64, error) {
	if !r.skip(':') {
		return 0, r.fail("no colon")
	}
	n, err := r.number(2, 2)
	if err == nil && n > 59 {
		err = r.failAt(r.at-2, "more than 59 minutes or seconds")
	}
	return n, err
}

// offset reads +hh, +hh:mm or +hh:mm:ss, in seconds east of UTC.
func (r *reader) offset() (int32, error) {
	west := r.peek() == '-'
	if !r.skip('-') && !r.skip('+') {
		return 0, r.fail("no offset")
	}
	hours, err := r.number(2, 2)
	if err != nil {
		return 0, err
	}
	if hours > 15 {
		return 0, r.failAt(r.at-2, "the offset is more than 15:59:59")
	}
	seconds := hours * 3600
	for unit := int64(60); unit > 0 && r.peek() == ':'; unit /= 60 {
		n, err := r.sixtieth()
		if err != nil {
			return 0, err
		}
		seconds += n * unit
	}
	if west {
		seconds = -seconds
	}
	return int32(seconds), nil
}
